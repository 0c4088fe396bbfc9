;; attack: a test whose name has a megabyte
;; expect: not-loaded "1000000 bytes long"
;; exit: 3
;; make: libtest-long-name 1000000
