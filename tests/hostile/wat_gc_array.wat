;; attack: an array of the collector's that has a thousand million elements
;; expect: out-of-memory "heap"
;; exit: 1
;; flags: --max-memory 64MiB --process-timeout 20
(module
  (type $a (array (mut i64)))
  (func (export "_start")
    (drop (array.new_default $a (i32.const 1000000000)))))
