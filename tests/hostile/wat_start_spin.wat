;; attack: the start function never ends
;; expect: timed-out "limit of 2s"
;; exit: 1
;; flags: --process-timeout 2
(module
  (func $start (loop br 0))
  (start $start)
  (func (export "_start")))
