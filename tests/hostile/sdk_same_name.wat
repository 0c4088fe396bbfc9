;; attack: a section that names one test three times
;; expect: not-loaded "twice"
;; exit: 3
;; make: sdk-same-name 3
