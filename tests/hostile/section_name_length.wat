;; attack: an export whose name says it is 4 GiB long
;; expect: not-loaded "damaged or cut short"
;; exit: 3
(module binary "\00asm\01\00\00\00" "\07\07\01\ff\ff\ff\ff\0f\5f")
