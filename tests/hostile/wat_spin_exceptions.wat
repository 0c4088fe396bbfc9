;; attack: an exception is thrown and caught without end
;; expect: timed-out "limit of 2s"
;; exit: 1
;; flags: --process-timeout 2
(module
  (tag $e)
  (func (export "_start")
    (loop $again
      (block $caught (try_table (catch $e $caught) (throw $e)))
      (br $again))))
