;; attack: a list that names one test three times
;; expect: errored
;; exit: 1
;; make: libtest-same-name 3
