;; A small program with a section of every kind, to be cut and changed.
(module
  (type $none (func))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1 4)
  (table 2 funcref)
  (global $n (mut i32) (i32.const 3))
  (elem (i32.const 0) $step $begin)
  (data (i32.const 8) "\10\00\00\00\06\00\00\00hello\n")
  (data "passive")
  (tag $thrown)
  (func $begin global.get $n (if (then (call $step))))
  (func $step (local i32 i64)
    (block $out
      (loop $again
        (local.set 0 (i32.add (local.get 0) (i32.const 1)))
        (br_if $out (i32.gt_u (local.get 0) (global.get $n)))
        (br_table $again $out (i32.const 0)))))
  (func (export "_start")
    (call_indirect (type $none) (i32.const 1))
    (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0))))
  (start $begin)
  (@custom "producers" "\00")
  (@custom "name" "\01\04\01\01\01x"))
