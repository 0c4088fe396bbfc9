;; attack: tail calls through a table without end
;; expect: timed-out "limit of 2s"
;; exit: 1
;; flags: --process-timeout 2
(module
  (type $t (func))
  (table 1 funcref)
  (elem (i32.const 0) $again)
  (func $again (return_call_indirect (type $t) (i32.const 0)))
  (func (export "_start")
    (return_call_indirect (type $t) (i32.const 0))))
