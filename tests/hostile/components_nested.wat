;; attack: components within components, 1,500 deep
;; expect: not-loaded "no test"
;; exit: 3
;; make: nested-components 1500
