;; attack: a memory with 64-bit addresses is grown to 16 GiB and filled
;; expect: out-of-memory "64 MiB"
;; exit: 1
;; flags: --max-memory 64MiB --process-timeout 20
(module
  (memory i64 1)
  (func (export "_start")
    (if (i64.lt_s (memory.grow (i64.const 262144)) (i64.const 0)) (then unreachable))
    (memory.fill (i64.const 0) (i32.const 1) (i64.const 0x400000000))
    unreachable))
