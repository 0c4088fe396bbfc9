;; attack: a million imports
;; expect: not-loaded "limit"
;; exit: 3
;; make: imports 1000000
;; memory: 1024
