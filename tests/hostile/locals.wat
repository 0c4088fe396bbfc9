;; attack: a function with four thousand million locals
;; expect: not-loaded "too many locals"
;; exit: 3
;; make: locals 4000000000
