;; attack: a list of the collector's without end
;; expect: out-of-memory "64 MiB"
;; exit: 1
;; flags: --max-memory 64MiB --process-timeout 20
(module
  (rec (type $n (struct (field (ref null $n)) (field i64))))
  (func (export "_start")
    (local $l (ref null $n))
    (loop $again
      (local.set $l (struct.new $n (local.get $l) (i64.const 1)))
      (br $again))))
