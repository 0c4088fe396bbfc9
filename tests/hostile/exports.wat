;; attack: a million exports
;; expect: not-loaded "exports"
;; exit: 3
;; make: exports 1000000
;; memory: 1024
