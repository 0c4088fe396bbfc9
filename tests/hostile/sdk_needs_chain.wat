;; attack: a chain of 20,000 fixtures, each needing the next
;; expect: not-loaded "over 128 fixtures"
;; exit: 3
;; make: sdk-needs-chain 20000
