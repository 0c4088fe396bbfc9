;; attack: a function with 100,000 parameters
;; expect: not-loaded "params"
;; exit: 3
;; make: parameters 100000
