;; attack: the start function traps
;; expect: errored "at its start"
;; exit: 1
(module
  (func $start unreachable)
  (start $start)
  (func (export "_start")))
