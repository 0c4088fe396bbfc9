;; attack: a start that is no function of that type
;; expect: errored "type mismatch"
;; exit: 1
(module (func (export "_start") (param i64) (result f64) (f64.const 0)))
