;; attack: suites within suites, 1,000 deep
;; expect: not-loaded "list of tests cannot be used"
;; exit: 3
;; make: sdk-nested-suites 1000
