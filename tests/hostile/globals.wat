;; attack: a million globals
;; expect: passed
;; exit: 0
;; make: globals 1000000
;; memory: 1024
