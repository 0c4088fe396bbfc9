;; attack: 100,000 data segments at one place
;; expect: passed
;; exit: 0
;; make: data-segments 100000
;; memory: 512
