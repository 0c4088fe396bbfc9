;; attack: an exception that nobody catches
;; expect: errored
;; exit: 1
(module
  (tag $e (param i32))
  (func (export "_start")
    (throw $e (i32.const 7))))
