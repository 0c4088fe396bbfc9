;; attack: a custom section of 100 MB
;; expect: passed
;; exit: 0
;; make: custom-section 100000000
;; memory: 512
