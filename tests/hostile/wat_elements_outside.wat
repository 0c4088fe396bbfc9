;; attack: elements that lie outside of their table
;; expect: errored "out of bounds"
;; exit: 1
(module
  (table 1 funcref)
  (elem (i32.const 0x7ffffff0) 0)
  (func (export "_start")
    nop))
