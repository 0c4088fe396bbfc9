;; attack: a million empty functions: seen with 4.9 GB in the compiler
;; expect: not-loaded "512 MiB"
;; exit: 3
;; make: empty-functions 1000000
;; memory: 640
;; flags: --compile-memory 512MiB
