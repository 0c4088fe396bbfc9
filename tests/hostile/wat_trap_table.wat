;; attack: a call of what is no function of that type
;; expect: errored "indirect call type mismatch"
;; exit: 1
(module
  (type $t (func (param) (result)))
  (type $u (func (param i64)))
  (table 1 funcref)
  (elem (i32.const 0) $other)
  (func $other (type $u))
  (func (export "_start")
    (call_indirect (type $t) (i32.const 0))))
