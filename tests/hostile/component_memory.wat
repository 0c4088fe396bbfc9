;; attack: a component whose memory grows until it is refused
;; expect: out-of-memory "64 MiB"
;; exit: 1
;; flags: --max-memory 64MiB --process-timeout 20
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "run") (result i32) 
      (local $at i32)
      (loop $again
        (local.set $at (memory.grow (i32.const 16)))
        (if (i32.ge_s (local.get $at) (i32.const 0))
          (then
            (memory.fill (i32.mul (local.get $at) (i32.const 65536)) (i32.const 1) (i32.const 0x100000))
            (br $again))))
      unreachable))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $r (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $r)))
