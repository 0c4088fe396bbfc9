;; attack: 60,000 loops within loops, which took a compiler very long while each loop looked for its end
;; expect: passed
;; exit: 0
;; make: nested-loops 60000
;; memory: 1024
;; flags: --compile-timeout 2 --compiler cranelift
