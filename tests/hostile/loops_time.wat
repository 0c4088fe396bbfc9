;; attack: 60,000 loops within loops, which take a compiler very long
;; expect: not-loaded "2 s"
;; exit: 3
;; make: nested-loops 60000
;; memory: 1024
;; flags: --compile-timeout 2 --compiler cranelift
