;; attack: objects of the collector's that nobody keeps, without end
;; expect: timed-out "limit of 2s"
;; exit: 1
;; flags: --max-memory 64MiB --process-timeout 2
(module
  (type $a (array (mut i64)))
  (func (export "_start")
    (loop $again
      (drop (array.new_default $a (i32.const 1000)))
      (br $again))))
