;; attack: eight memories, each filled
;; expect: out-of-memory "64 MiB"
;; exit: 1
;; flags: --max-memory 64MiB --process-timeout 20
(module
  (memory 256)
  (memory 256)
  (memory 256)
  (memory 256)
  (memory 256)
  (memory 256)
  (memory 256)
  (memory 256)
  (func (export "_start")
    (memory.fill 0 (i32.const 0) (i32.const 1) (i32.const 0x1000000))
    (memory.fill 1 (i32.const 0) (i32.const 1) (i32.const 0x1000000))
    (memory.fill 2 (i32.const 0) (i32.const 1) (i32.const 0x1000000))
    (memory.fill 3 (i32.const 0) (i32.const 1) (i32.const 0x1000000))
    (memory.fill 4 (i32.const 0) (i32.const 1) (i32.const 0x1000000))
    (memory.fill 5 (i32.const 0) (i32.const 1) (i32.const 0x1000000))
    (memory.fill 6 (i32.const 0) (i32.const 1) (i32.const 0x1000000))
    (memory.fill 7 (i32.const 0) (i32.const 1) (i32.const 0x1000000))
    unreachable))
