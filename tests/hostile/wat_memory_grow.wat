;; attack: memory is grown and filled until it is refused, and then it traps
;; expect: out-of-memory "64 MiB"
;; exit: 1
;; flags: --max-memory 64MiB --process-timeout 20
(module
  (memory 1)
  (func (export "_start")
    (local $at i32)
    (loop $again
      (local.set $at (memory.grow (i32.const 16)))
      (if (i32.ge_s (local.get $at) (i32.const 0))
        (then
          (memory.fill (i32.mul (local.get $at) (i32.const 65536)) (i32.const 1) (i32.const 0x100000))
          (br $again))))
    unreachable))
