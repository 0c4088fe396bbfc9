;; attack: what looks like libtest's and takes all memory for its list
;; expect: not-loaded "64 MiB"
;; exit: 3
;; flags: --max-memory 64MiB --process-timeout 20
(module
  (memory 1)
  (data (i32.const 0) "RUST_TEST_THREADS RUST_TEST_NOCAPTURE")
  (func (export "_start")
    (local $at i32)
    (loop $again
      (local.set $at (memory.grow (i32.const 16)))
      (if (i32.ge_s (local.get $at) (i32.const 0))
        (then
          (memory.fill (i32.mul (local.get $at) (i32.const 65536)) (i32.const 1) (i32.const 0x100000))
          (br $again))))
    unreachable))
