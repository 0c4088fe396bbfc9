;; attack: a component that gets a string and says it lies outside of memory
;; expect: errored
;; exit: 1
(component
  (import "wasi:cli/environment@0.2.0" (instance $env
    (export "get-environment" (func (result (list (tuple string string)))))))
  (core module $libc
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const -16)))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))
  (core func $get (canon lower (func $env "get-environment")
    (memory $memory) (realloc $realloc)))
  (core module $m
    (import "" "get" (func $get (param i32)))
    (func (export "run") (result i32) (call $get (i32.const 0)) (i32.const 0)))
  (core instance $i (instantiate $m (with "" (instance (export "get" (func $get))))))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $r (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $r)))
