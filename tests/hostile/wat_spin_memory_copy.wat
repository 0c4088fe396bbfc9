;; attack: the whole memory is copied onto itself again and again
;; expect: timed-out "limit of 2s"
;; exit: 1
;; flags: --process-timeout 2
(module
  (memory 4096)
  (func (export "_start")
    (loop $again
      (memory.copy (i32.const 1) (i32.const 0) (i32.const 0xfffffff))
      (br $again))))
