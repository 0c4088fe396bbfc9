;; attack: components within components, 1,500 deep
;; expect: not-loaded "nests deeper than 1000 components"
;; exit: 3
;; make: nested-components 1500
