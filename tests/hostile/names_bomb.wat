;; attack: a name section with a million names for one function
;; expect: passed
;; exit: 0
;; make: names 1000000
;; memory: 512
