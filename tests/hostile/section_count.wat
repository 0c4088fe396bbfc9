;; attack: a section that says it has four thousand million types
;; expect: not-loaded "no engine takes more than"
;; exit: 3
(module binary "\00asm\01\00\00\00" "\01\06\ff\ff\ff\ff\0f\60")
