;; attack: a memory with 64-bit addresses that begins with 2^48 bytes
;; expect: out-of-memory "64 MiB"
;; exit: 1
;; flags: --max-memory 64MiB --process-timeout 20
(module
  (memory i64 0x100000000)
  (func (export "_start")
    nop))
