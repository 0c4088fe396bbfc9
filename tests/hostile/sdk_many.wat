;; attack: 100,000 tests of the SDK's, none of which is run: two are
;; expect: passed
;; exit: 0
;; make: sdk-tests 100000
;; output: 128
;; slow: each of 100,000 tests is run
