;; attack: a loop of one branch
;; expect: timed-out "limit of 2s"
;; exit: 1
;; flags: --process-timeout 2
(module
  (func (export "_start")
    (loop br 0)))
