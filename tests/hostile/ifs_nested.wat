;; attack: 20,000 conditions within conditions
;; expect: passed
;; exit: 0
;; make: nested-ifs 20000
;; memory: 1024
