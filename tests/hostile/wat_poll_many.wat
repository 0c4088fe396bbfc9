;; attack: a poll for four million things at once
;; expect: errored "aborted"
;; exit: 1
;; flags: --process-timeout 2
(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 4096)
  (func (export "_start")
    (drop (call $poll_oneoff (i32.const 0) (i32.const 0) (i32.const 4000000) (i32.const 0)))
    unreachable))
