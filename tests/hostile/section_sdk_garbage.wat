;; attack: a section of the SDK's that holds no record
;; expect: not-loaded "damaged at byte 0"
;; exit: 3
(module
  (func (export "wasmtest:x::t") (result i32) i32.const 0)
  (@custom "wasmtest" "\1b[2J\00\ff\fe no record"))
