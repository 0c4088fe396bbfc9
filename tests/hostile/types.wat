;; attack: a million types
;; expect: passed
;; exit: 0
;; make: types 1000000
;; memory: 512
