;; attack: a test of the SDK's whose name has 50,000 bytes
;; expect: not-loaded "50003 bytes long"
;; exit: 3
;; make: sdk-long-name 50000
