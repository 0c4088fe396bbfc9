;; attack: what looks like libtest's and never ends its list
;; expect: not-loaded "limit"
;; exit: 3
;; slow: a list is waited for ten seconds
;; flags: --process-timeout 2
(module
  (memory 1)
  (data (i32.const 0) "RUST_TEST_THREADS RUST_TEST_NOCAPTURE")
  (func (export "_start") (loop br 0)))
