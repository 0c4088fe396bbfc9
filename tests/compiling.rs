//! What it costs to compile a module is that module's affair: limits are named, and all else goes on.

use crate::support::{Target, arg, events, finish, guest, run, wasmtest, wat};
use crate::workers::{Watched, send};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use wasm_encoder::{
    BlockType, CodeSection, ExportKind, ExportSection, Function, FunctionSection, Instruction,
    Module, TypeSection, ValType,
};

/// A component of which each level holds ten of the one below.
fn levels(dir: &Path) -> PathBuf {
    let mut text =
        "(component\n(component $c0 (core module $m) (core instance (instantiate $m)))\n"
            .to_owned();
    for level in 1..=9 {
        let below = level - 1;
        let instances = format!("(instance (instantiate $c{below}))").repeat(10);
        text += &format!(
            "(component $c{level} (alias outer 1 $c{below} (component $c{below})) {instances})\n"
        );
    }
    text += "(instance (instantiate $c9)) (instance $run) (export \"wasi:cli/run@0.2.0\" (instance $run)))";
    wat(dir, "levels.wasm", &text)
}

/// A module whose `_start` begins so.
fn module(dir: &Path, name: &str, functions: u32, start: &[Instruction<'_>]) -> PathBuf {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let (mut declared, mut code) = (FunctionSection::new(), CodeSection::new());
    for number in 0..functions {
        declared.function(0);
        let mut function = Function::new([(1, ValType::I32)]);
        if number == 0 {
            for instruction in start {
                function.instruction(instruction);
            }
        }
        function.instruction(&Instruction::End);
        code.function(&function);
    }
    let mut exports = ExportSection::new();
    exports.export("_start", ExportKind::Func, 0);
    let mut module = Module::new();
    module.section(&types).section(&declared);
    module.section(&exports).section(&code);
    let path = dir.join(name);
    fs::write(&path, module.finish()).expect("written");
    path
}

/// Loops in loops.
fn nested(dir: &Path, depth: usize) -> PathBuf {
    let mut start = vec![Instruction::Loop(BlockType::Empty); depth];
    start.resize(depth * 2, Instruction::End);
    module(dir, "nested.wasm", 1, &start)
}

/// Loops in loops, each of which counts and may go on: they take Cranelift minutes, and little
/// memory.
fn slow(dir: &Path) -> PathBuf {
    let counts = [
        Instruction::Loop(BlockType::Empty),
        Instruction::LocalGet(0),
        Instruction::I32Const(1),
        Instruction::I32Add,
        Instruction::LocalSet(0),
    ];
    let goes_on = [
        Instruction::LocalGet(0),
        Instruction::BrIf(0),
        Instruction::End,
    ];
    let start = [
        vec![counts; 10_000].concat(),
        vec![goes_on; 10_000].concat(),
    ]
    .concat();
    module(dir, "slow.wasm", 1, &start)
}

/// What is said of a module that costs too much, beside one that does not.
fn said(module: &Path, flags: &[&str]) -> (String, String) {
    let cache = tempfile::tempdir().expect("a folder");
    let good = guest("returns", Target::P1, "dev");
    let mut args = vec![arg(module), arg(&good), "--cache-dir", arg(cache.path())];
    args.extend(flags);
    let events = events(args);
    assert_eq!(events.code, 3, "{events:?}");
    assert_eq!(events.summary()["passed"], 1, "{events:?}");
    let failed = events.ends().find(|end| end["event"] == "failed");
    let own = &failed.expect("one")["wasmtest"];
    // what it wrote is gone
    let kept = fs::read_dir(cache.path().join("v1")).expect("made");
    let names = kept.map(|entry| entry.expect("readable").file_name());
    let new = names.filter(|name| name.to_string_lossy().starts_with(".new-"));
    assert_eq!(new.count(), 0);
    let text = |key: &str| own[key].as_str().unwrap_or_default().to_owned();
    (text("message"), text("hint"))
}

#[test]
fn a_module_that_takes_too_long_to_compile_is_stopped_and_the_others_run() {
    let dir = tempfile::tempdir().expect("a folder");
    let (message, hint) = said(&levels(dir.path()), &["--compile-timeout", "1"]);
    assert_eq!(
        message,
        "compiling it takes more than 1 s of CPU time, its limit"
    );
    assert!(hint.contains("--compile-timeout SECONDS"), "{hint}");
}

#[test]
fn a_module_that_takes_too_much_memory_to_compile_is_stopped_and_the_others_run() {
    let dir = tempfile::tempdir().expect("a folder");
    for module in [
        nested(dir.path(), 300_000),
        module(dir.path(), "many.wasm", 1_000_000, &[]),
    ] {
        let (message, hint) = said(&module, &["--compile-memory", "128MiB"]);
        assert_eq!(
            message, "compiling it takes more than 128 MiB of memory, its limit",
            "{module:?}"
        );
        assert!(hint.contains("--compile-memory SIZE"), "{hint}");
    }
}

#[test]
fn the_limits_hold_for_lists_and_plans_too() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = tempfile::tempdir().expect("a folder");
    let module = module(dir.path(), "many.wasm", 1_000_000, &[]);
    for command in ["run", "plan"] {
        let mut command_line = wasmtest();
        command_line.args([command, arg(&module), "--compile-memory", "128MiB"]);
        // a backtrace would be the last that a compiler says
        command_line.env("RUST_BACKTRACE", "full");
        let ran = finish(command_line.args(["--cache-dir", arg(cache.path())]));
        assert_eq!(ran.code, 3, "{command}: {ran:?}");
        let said = ran.stdout + &ran.stderr;
        assert!(said.contains("more than 128 MiB"), "{command}: {said}");
    }
    let refused = run([arg(&module), "--compile-timeout", "0"]);
    assert_eq!(refused.code, 2, "{refused:?}");
}

#[test]
fn tests_that_ended_are_told_while_another_module_compiles() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = tempfile::tempdir().expect("a folder");
    let good = guest("returns", Target::P1, "dev");
    let bad = slow(dir.path());
    let mut run = Watched::start(&[
        arg(&good),
        arg(&bad),
        "--cache-dir",
        arg(cache.path()),
        "--compiler",
        "cranelift",
        // nobody waits so long
        "--compile-timeout",
        "3600",
    ]);
    run.wait_for("ok", "returns.wasm main");
    run.signal(libc::SIGINT);
    assert_eq!(run.finish().code, 130);
}

#[test]
fn a_compiler_that_is_killed_costs_its_own_module_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = tempfile::tempdir().expect("a folder");
    let good = guest("returns", Target::P1, "dev");
    let bad = slow(dir.path());
    let kept = ["--compiler", "cranelift", "--cache-dir", arg(cache.path())];
    let mut run = Watched::start(&[&[arg(&good), arg(&bad)], &kept[..]].concat());
    // by now that one's compiler is at work and the other's is gone
    run.wait_for("ok", "returns.wasm main");
    let is_compiler = |id: &u32| {
        let line = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line.contains("__compiler")
    };
    // the first could have been anybody's fault
    let mut killed = 0;
    for _ in 0..2 {
        killed = loop {
            let mut compilers = run.children().into_iter().filter(is_compiler);
            match compilers.find(|id| *id != killed) {
                Some(next) => break next,
                None => std::thread::yield_now(),
            }
        };
        send(killed, libc::SIGKILL);
    }
    let events = run.finish();
    assert_eq!(events.code, 3, "{events:?}");
    let failed = events.ends().find(|end| end["event"] == "failed");
    let message = failed.expect("one")["wasmtest"]["message"].to_string();
    assert!(message.contains("signal 9 (SIGKILL)"), "{message}");
}

#[test]
fn a_lock_that_somebody_keeps_is_not_waited_for_for_ever() {
    let cache = tempfile::tempdir().expect("a folder");
    let good = guest("returns", Target::P1, "dev");
    let flags = ["--cache-dir", arg(cache.path()), "--compile-timeout", "1"];
    let args: Vec<&str> = std::iter::once(arg(&good)).chain(flags).collect();
    assert_eq!(run(&args).code, 0);
    let of = |ending: &str| -> PathBuf {
        let kept = fs::read_dir(cache.path().join("v1")).expect("made");
        let mut paths = kept.map(|entry| entry.expect("readable").path());
        let found = paths.find(|path| path.to_string_lossy().ends_with(ending));
        found.expect("there is one")
    };
    fs::remove_file(of(".cwasm")).expect("ours");
    let lock = File::open(of(".lock")).expect("ours");
    lock.lock().expect("nobody has it");
    let ran = run(&args);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(of(".cwasm").exists());
}
