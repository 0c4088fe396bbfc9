;; attack: recursion with a thousand locals a frame
;; expect: errored "stack"
;; exit: 1
(module
  (func $deeper (local i64 i64 i64 i64 i64 i64 i64 i64)
    (call $deeper)
    (local.set 0 (i64.add (local.get 1) (local.get 2))))
  (func (export "_start")
    call $deeper))
