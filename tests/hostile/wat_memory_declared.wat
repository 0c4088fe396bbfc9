;; attack: a memory that begins with 4 GiB
;; expect: out-of-memory "64 MiB"
;; exit: 1
;; flags: --max-memory 64MiB --process-timeout 20
(module
  (memory 65536)
  (func (export "_start")
    nop))
