;; attack: a memory that cannot grow is grown again and again
;; expect: timed-out "limit of 2s"
;; exit: 1
;; flags: --process-timeout 2
(module
  (memory 1 1)
  (func (export "_start")
    (loop $again
      (drop (memory.grow (i32.const 1)))
      (br $again))))
