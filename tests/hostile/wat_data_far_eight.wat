;; attack: the same in eight memories
;; expect: passed
;; exit: 0
;; memory: 512
;; flags: --max-memory 16GiB
(module
  (memory 16384)
  (memory 16384)
  (memory 16384)
  (memory 16384)
  (memory 16384)
  (memory 16384)
  (memory 16384)
  (memory 16384)
  (data (memory 0) (i32.const 0) "a")
  (data (memory 0) (i32.const 1073741820) "b")
  (data (memory 1) (i32.const 0) "a")
  (data (memory 1) (i32.const 1073741820) "b")
  (data (memory 2) (i32.const 0) "a")
  (data (memory 2) (i32.const 1073741820) "b")
  (data (memory 3) (i32.const 0) "a")
  (data (memory 3) (i32.const 1073741820) "b")
  (data (memory 4) (i32.const 0) "a")
  (data (memory 4) (i32.const 1073741820) "b")
  (data (memory 5) (i32.const 0) "a")
  (data (memory 5) (i32.const 1073741820) "b")
  (data (memory 6) (i32.const 0) "a")
  (data (memory 6) (i32.const 1073741820) "b")
  (data (memory 7) (i32.const 0) "a")
  (data (memory 7) (i32.const 1073741820) "b")
  (func (export "_start")
    nop))
