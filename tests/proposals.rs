//! Finished proposals of WebAssembly are on: a module that uses each, run as a command.

use crate::support::{arg, run, wat};

const PROPOSALS: &[(&str, &str)] = &[
    (
        "simd",
        "(func (export \"_start\") (drop (i32x4.add (v128.const i32x4 1 2 3 4) (v128.const i32x4 1 2 3 4))))",
    ),
    (
        "relaxed_simd",
        "(func (export \"_start\") (drop (i32x4.relaxed_trunc_f32x4_s (v128.const f32x4 1 2 3 4))))",
    ),
    (
        "exceptions",
        "(tag $e (param i32)) (func (export \"_start\") (block $h (result i32) (try_table (catch $e $h) (throw $e (i32.const 7))) (i32.const 0)) (drop))",
    ),
    (
        "tail_call",
        "(func $f (param i32) (result i32) (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0)) (else (return_call $f (i32.sub (local.get 0) (i32.const 1)))))) (func (export \"_start\") (drop (call $f (i32.const 10000000))))",
    ),
    (
        "memory64",
        "(memory i64 1) (func (export \"_start\") (i64.store (i64.const 8) (i64.const 1)))",
    ),
    (
        "multi_memory",
        "(memory 1) (memory $b 1) (func (export \"_start\") (i32.store $b (i32.const 0) (i32.const 1)))",
    ),
    (
        "gc",
        "(type $p (struct (field i32))) (func (export \"_start\") (drop (struct.get $p 0 (struct.new $p (i32.const 5)))))",
    ),
    (
        "function_references",
        "(type $t (func)) (elem declare func $g) (func $g) (func (export \"_start\") (call_ref $t (ref.func $g)))",
    ),
    (
        "extended_const",
        "(global i32 (i32.add (i32.const 1) (i32.const 2))) (func (export \"_start\"))",
    ),
    (
        "atomics",
        "(memory 1 1 shared) (func (export \"_start\") (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1))))",
    ),
    (
        "bulk_memory",
        "(memory 1) (func (export \"_start\") (memory.fill (i32.const 0) (i32.const 1) (i32.const 9)))",
    ),
    (
        "wide_arithmetic",
        "(func (export \"_start\") (i64.add128 (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4)) drop drop)",
    ),
    (
        "custom_page_sizes",
        "(memory 10 (pagesize 1)) (func (export \"_start\") (i32.store8 (i32.const 9) (i32.const 1)))",
    ),
];

#[test]
fn every_finished_proposal_runs() {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, body) in PROPOSALS {
        wat(
            dir.path(),
            &format!("{name}.wasm"),
            &format!("(module {body})"),
        );
    }
    let ran = run([arg(dir.path())]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    assert!(
        ran.stdout
            .contains(&format!("Ran {} tests", PROPOSALS.len()))
    );
}

#[test]
fn traps_of_commands_are_told_apart() {
    let dir = tempfile::tempdir().expect("a folder");
    let message = |name: &str, body: &str| {
        let module = wat(
            dir.path(),
            &format!("{name}.wasm"),
            &format!("(module {body})"),
        );
        let events = crate::support::events([arg(&module)]);
        assert_eq!(events.outcome("main"), "errored");
        events.message("main").to_owned()
    };
    let divides = "(func (export \"_start\") (drop (i32.div_s (i32.const 1) (i32.const 0))))";
    assert_eq!(message("divides", divides), "integer division by zero");
    let recurses = "(func $f (call $f)) (func (export \"_start\") (call $f))";
    assert!(message("recurses", recurses).contains("the 8 MiB of WebAssembly stack"));
    let reads = "(memory 1) (func (export \"_start\") (drop (i32.load (i32.const 0x20000))))";
    assert!(message("reads", reads).contains("address 0x20000 in a memory of 0x10000 bytes"));
    let below = "(memory 1) (func (export \"_start\") (drop (i32.load (i32.const -16))))";
    assert!(message("below", below).contains("below address 0"));
    let null = "(table 1 funcref) (func (export \"_start\") (call_indirect (i32.const 0)))";
    assert!(message("null", null).contains("uninitialized element"));
    let overflow = "(func (export \"_start\") (drop (i32.trunc_f32_s (f32.const 1e30))))";
    assert!(message("overflow", overflow).contains("integer overflow"));
}

#[test]
fn the_wasm_stack_is_8_mib_and_an_option() {
    let dir = tempfile::tempdir().expect("a folder");
    // 100,000 calls deep, as language test suites go
    let deep = |n: u32| {
        format!(
            "(module (func $f (param i32) (result i32) (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0)) (else (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1))))))) (func (export \"_start\") (drop (call $f (i32.const {n})))))"
        )
    };
    let module = wat(dir.path(), "deep.wasm", &deep(100_000));
    assert_eq!(run([arg(&module)]).code, 0);
    assert_eq!(run([arg(&module), "--wasm-stack", "1"]).code, 1);
    let deeper = wat(dir.path(), "deeper.wasm", &deep(1_000_000));
    assert_eq!(run([arg(&deeper)]).code, 1);
    assert_eq!(run([arg(&deeper), "--wasm-stack", "200"]).code, 0);
}

#[test]
fn a_module_that_fits_no_slot_of_the_pool_runs_without_it() {
    let dir = tempfile::tempdir().expect("a folder");
    // a memory of more than 4 GiB; one of more than a slot's tables
    let memory = "(module (memory i64 65600) (func (export \"_start\") (i64.store (i64.const 0x1_0010_0000) (i64.const 1))))";
    let memory = wat(dir.path(), "memory.wasm", memory);
    assert_eq!(run([arg(&memory), "--max-memory", "5GiB"]).code, 0);
    let table = "(module (table 11000000 funcref) (func (export \"_start\")))";
    let table = wat(dir.path(), "table.wasm", table);
    let more = ["--max-table-elements", "none"];
    assert_eq!(run([&[arg(&table)], &more[..]].concat()).code, 0);
    let memories = format!(
        "(module {} (func (export \"_start\")))",
        "(memory 1)".repeat(20)
    );
    let ran = run([arg(&wat(dir.path(), "memories.wasm", &memories))]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
}
