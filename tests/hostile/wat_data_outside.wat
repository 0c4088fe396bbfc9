;; attack: a data segment that lies outside of its memory
;; expect: errored "out of bounds"
;; exit: 1
(module
  (memory 1)
  (data (i32.const 0x7ffffff0) "outside")
  (func (export "_start")
    nop))
