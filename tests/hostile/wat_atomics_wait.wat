;; attack: a wait on memory for what nobody tells it
;; expect: timed-out "limit of 2s"
;; exit: 1
;; flags: --process-timeout 2
(module
  (memory 1 1 shared)
  (func (export "_start")
    (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))))
