;; attack: tail calls without end
;; expect: timed-out "limit of 2s"
;; exit: 1
;; flags: --process-timeout 2
(module
  (func $again return_call $again)
  (func (export "_start")
    return_call $again))
