;; attack: a module of a version that is yet to come
;; expect: not-loaded "version"
;; exit: 3
(module binary "\00asm\7f\00\00\00")
