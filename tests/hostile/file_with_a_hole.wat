;; attack: a file of 3 GiB of which the first eight bytes are right
;; expect: not-loaded "1024 MiB"
;; exit: 3
;; make: hole 3072
