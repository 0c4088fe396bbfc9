;; attack: a branch with a million targets
;; expect: not-loaded "br_table"
;; exit: 3
;; make: branch-targets 1000000
;; memory: 1024
