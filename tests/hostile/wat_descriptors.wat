;; attack: each number of a descriptor is closed and given anew
;; expect: passed
;; exit: 0
;; flags: --process-timeout 20
(module
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_renumber" (func $fd_renumber (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (local i32)
    (loop $again
      (drop (call $fd_close (local.get 0)))
      (drop (call $fd_renumber (i32.const 3) (local.get 0)))
      (br_if $again (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 100000))))))
