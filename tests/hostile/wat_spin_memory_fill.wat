;; attack: the whole memory is filled again and again: few checks, much work
;; expect: timed-out "limit of 2s"
;; exit: 1
;; flags: --process-timeout 2
(module
  (memory 4096)
  (func (export "_start")
    (loop $again
      (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x10000000))
      (br $again))))
