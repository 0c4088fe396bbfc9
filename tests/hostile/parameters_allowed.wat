;; attack: a function with as many parameters as are allowed
;; expect: passed
;; exit: 0
;; make: parameters 1000
;; memory: 1024
