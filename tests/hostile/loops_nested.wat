;; attack: 4,000 loops within loops
;; expect: passed
;; exit: 0
;; make: nested-loops 4000
;; memory: 1024
