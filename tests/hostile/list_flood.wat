;; attack: what looks like libtest's and lists without end
;; expect: not-loaded "limit"
;; exit: 3
;; slow: a list is waited for ten seconds
;; flags: --process-timeout 2
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\10\00\00\00        t: test\nt: test\n")
  (data (i32.const 64) "RUST_TEST_THREADS RUST_TEST_NOCAPTURE")
  (func (export "_start")
    (loop $again
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
      (br $again))))
