;; attack: a data segment is copied into memory again and again
;; expect: timed-out "limit of 2s"
;; exit: 1
;; flags: --process-timeout 2
(module
  (memory 1)
  (data $d "abcd")
  (func (export "_start")
    (loop $again
      (memory.init $d (i32.const 0) (i32.const 0) (i32.const 4))
      (br $again))))
