;; attack: a record of the SDK's that says it is 4 GiB long
;; expect: not-loaded "damaged at byte 0"
;; exit: 3
(module
  (func (export "wasmtest:x::t") (result i32) i32.const 0)
  (@custom "wasmtest" "wt\02\00\00\00\01\00\00\00\01\00\ff\ff\ff\ff\01"))
