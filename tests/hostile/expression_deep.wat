;; attack: an expression of 500,000 operands
;; expect: passed
;; exit: 0
;; make: deep-expression 500000
;; memory: 2048
;; slow: half a million operands are compiled
