;; attack: a table is grown to four thousand million entries
;; expect: out-of-memory "100000"
;; exit: 1
;; flags: --max-table-elements 100000
(module
  (table 1 funcref)
  (func (export "_start")
    (loop $again
      (br_if $again (i32.ge_s (table.grow (ref.null func) (i32.const 0x100000)) (i32.const 0))))
    unreachable))
