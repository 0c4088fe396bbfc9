;; attack: 300,000 loops within loops: seen with 3.4 GB in the compiler
;; expect: not-loaded "512 MiB"
;; exit: 3
;; make: nested-loops 300000
;; memory: 640
;; flags: --compile-memory 512MiB --compile-timeout 5
