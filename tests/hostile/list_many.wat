;; attack: a list of 100,000 tests, none of which is there
;; expect: errored|failed
;; exit: 1
;; flags: --keep-output 256
;; make: libtest-list 100000
;; output: 128
;; slow: each of 100,000 tests is run
