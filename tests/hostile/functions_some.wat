;; attack: 20,000 empty functions
;; expect: passed
;; exit: 0
;; make: empty-functions 20000
;; memory: 512
