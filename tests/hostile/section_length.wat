;; attack: a section that says it is 4 GiB long
;; expect: not-loaded "damaged or cut short"
;; exit: 3
(module binary "\00asm\01\00\00\00" "\01\ff\ff\ff\ff\0f\00")
