;; attack: 60,000 units of debug information that share one list of 60,000 ranges
;; expect: errored
;; exit: 1
;; make: shared-ranges 60000
;; memory: 512
