;; attack: a function with as many locals as are allowed
;; expect: passed
;; exit: 0
;; make: locals 50000
;; memory: 1024
