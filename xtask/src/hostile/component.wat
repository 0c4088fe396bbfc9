;; A small program as a component, with a component in it, to be cut and changed.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "run") (result i32) (i32.const 0)))
  (core instance $i (instantiate $m))
  (component $inner
    (type $t (record (field "a" u32) (field "b" string)))
    (export "t" (type $t)))
  (instance (instantiate $inner))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $r (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $r)))
