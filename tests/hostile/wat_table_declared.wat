;; attack: a table that begins with four thousand million entries
;; expect: out-of-memory "10000000"
;; exit: 1
;; flags: --max-memory 64MiB --process-timeout 20
(module
  (table 0xffffffff funcref)
  (func (export "_start")
    nop))
