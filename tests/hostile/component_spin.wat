;; attack: a component that never comes back
;; expect: timed-out "limit of 2s"
;; exit: 1
;; flags: --process-timeout 2
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "run") (result i32) (loop br 0) unreachable))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $r (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $r)))
