;; attack: what looks like libtest's and lists names with escapes and no UTF-8
;; expect: errored
;; exit: 1
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\18\00\00\00        \1b[2Jx\07: test\n\ff\fe\c0: test\n")
  (data (i32.const 64) "RUST_TEST_THREADS RUST_TEST_NOCAPTURE")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
