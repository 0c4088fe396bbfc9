;; attack: a table of a million entries is filled again and again
;; expect: timed-out "limit of 2s"
;; exit: 1
;; flags: --process-timeout 2
(module
  (table 1000000 funcref)
  (elem declare func 0)
  (func (export "_start")
    (loop $again
      (table.fill (i32.const 0) (ref.func 0) (i32.const 1000000))
      (br $again))))
