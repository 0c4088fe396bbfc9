;; attack: the start function recurses without end
;; expect: errored "stack"
;; exit: 1
(module
  (func $deeper call $deeper)
  (start $deeper)
  (func (export "_start")))
