;; attack: traps that are no traps: a division that is never by zero, without end
;; expect: timed-out "limit of 2s"
;; exit: 1
;; flags: --process-timeout 2
(module
  (func (export "_start")
    (loop $again
      (drop (i32.div_u (i32.const 1) (i32.const 3)))
      (br $again))))
