;; attack: eight memories grow in turns
;; expect: out-of-memory "64 MiB"
;; exit: 1
;; flags: --max-memory 64MiB --process-timeout 20
(module
  (memory 1)
  (memory 1)
  (memory 1)
  (memory 1)
  (memory 1)
  (memory 1)
  (memory 1)
  (memory 1)
  (func (export "_start")
    (loop $again
      (if (i32.lt_s (memory.grow 0 (i32.const 16)) (i32.const 0)) (then unreachable))
      (if (i32.lt_s (memory.grow 1 (i32.const 16)) (i32.const 0)) (then unreachable))
      (if (i32.lt_s (memory.grow 2 (i32.const 16)) (i32.const 0)) (then unreachable))
      (if (i32.lt_s (memory.grow 3 (i32.const 16)) (i32.const 0)) (then unreachable))
      (if (i32.lt_s (memory.grow 4 (i32.const 16)) (i32.const 0)) (then unreachable))
      (if (i32.lt_s (memory.grow 5 (i32.const 16)) (i32.const 0)) (then unreachable))
      (if (i32.lt_s (memory.grow 6 (i32.const 16)) (i32.const 0)) (then unreachable))
      (if (i32.lt_s (memory.grow 7 (i32.const 16)) (i32.const 0)) (then unreachable))
      (br $again))))
