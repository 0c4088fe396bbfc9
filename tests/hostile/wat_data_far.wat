;; attack: two bytes of data a gibibyte apart: seen as an artefact of a gibibyte
;; expect: passed
;; exit: 0
;; memory: 512
(module
  (memory 16384)
  (data (i32.const 0) "a")
  (data (i32.const 1073741820) "b")
  (func (export "_start")
    nop))
