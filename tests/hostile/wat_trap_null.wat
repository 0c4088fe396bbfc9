;; attack: a call of nothing
;; expect: errored "uninitialized element"
;; exit: 1
(module
  (type $t (func))
  (table 10 funcref)
  (func (export "_start")
    (call_indirect (type $t) (i32.const 7))))
