;; attack: a mark for each of 100,000 setups: seen without an end in the primary
;; expect: not-loaded "100000 fixtures and hooks"
;; exit: 3
;; make: sdk-setups 100000
