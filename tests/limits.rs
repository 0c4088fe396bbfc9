//! What a guest may take: its limits, each with a name, a value and a flag, and its siblings
//! unharmed.

use crate::support::{Events, arg, events, finish, run, wasmtest, wat};
use crate::workers::Watched;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A module without tests of its own that passes.
fn sibling(folder: &Path) -> PathBuf {
    wat(
        folder,
        "sibling.wasm",
        "(module (func (export \"_start\")))",
    )
}

/// What is said of one program beside one that passes.
fn beside(name: &str, text: &str, more: &[&str]) -> Value {
    let dir = tempfile::tempdir().expect("a folder");
    let module = wat(dir.path(), &format!("{name}.wasm"), text);
    let ok = sibling(dir.path());
    let ran = events([&[arg(&module), arg(&ok)], more].concat());
    let of = |module: &str| -> Value {
        let mut ends = ran.ends();
        let end = ends.find(|e| e["wasmtest"]["module"].as_str() == Some(module));
        end.unwrap_or_else(|| panic!("{module} in {ran:#?}"))["wasmtest"].clone()
    };
    assert_eq!(of("sibling.wasm")["outcome"], "passed", "{ran:#?}");
    of(&format!("{name}.wasm"))
}

/// That a program ended so, and that this is said of it and in its hint.
fn ends(name: &str, text: &str, more: &[&str], outcome: &str, said: &str, hint: &str) {
    let end = beside(name, text, more);
    let told = |key: &str| end[key].as_str().unwrap_or_default().to_owned();
    assert_eq!(told("outcome"), outcome, "{end:#}");
    assert!(told("message").contains(said), "{end:#}");
    assert!(told("hint").contains(hint), "{end:#}");
}

/// A program that has each of these memories grow by a page until it is refused, and then traps.
fn grows(memories: &str, count: usize, page: &str) -> String {
    let grow = |memory: usize| {
        format!(
            "(block $full{memory} (loop $more (br_if $full{memory} (i64.lt_s ({page} (memory.grow {memory} (call $by))) (i64.const 0))) (br $more)))"
        )
    };
    let all: String = (0..count).map(grow).collect();
    let (ty, by) = match page {
        "i64.extend_i32_s" => ("i32", "i32.const 4096"),
        _ => ("i64", "i64.const 4096"),
    };
    format!(
        "(module {memories} (func $same (param i64) (result i64) (local.get 0)) (func $by (result {ty}) ({by})) (func (export \"_start\") {all} unreachable))"
    )
}

#[test]
fn eight_memories_are_limited_by_their_sum() {
    let text = grows(&"(memory 0) ".repeat(8), 8, "i64.extend_i32_s");
    ends(
        "eight",
        &text,
        &[],
        "out-of-memory",
        "of the 2 GiB that it may have",
        "--max-memory",
    );
    let less = ["--max-memory", "300MiB"];
    ends(
        "eight",
        &text,
        &less,
        "out-of-memory",
        "of the 300 MiB that it may have",
        "--max-memory",
    );
}

#[test]
fn a_memory_of_64_bits_is_limited_as_others_are() {
    let text = grows("(memory i64 0)", 1, "call $same");
    ends(
        "wide",
        &text,
        &[],
        "out-of-memory",
        "of the 2 GiB that it may have",
        "--max-memory",
    );
}

#[test]
fn a_memory_that_begins_above_the_limit_is_its_modules_error() {
    let text = "(module (memory i64 65600) (func (export \"_start\")))";
    ends(
        "large",
        text,
        &[],
        "out-of-memory",
        "it asks for 4 GiB, and may have 2 GiB",
        "--max-memory",
    );
    let end = beside("large", text, &["--max-memory", "5GiB"]);
    assert_eq!(end["outcome"], "passed");
    let end = beside("large", text, &["--max-memory", "none"]);
    assert_eq!(end["outcome"], "passed");
}

#[test]
fn tables_are_limited_by_their_elements_and_count_as_memory() {
    let text = "(module (table $t 0 funcref) (func (export \"_start\")
        (loop $more (br_if $more (i32.ge_s (table.grow $t (ref.null func) (i32.const 100000)) (i32.const 0))))
        unreachable))";
    ends(
        "grows",
        text,
        &[],
        "out-of-memory",
        "may have 10000000 together",
        "--max-table-elements",
    );
    let less = ["--max-memory", "1MiB"];
    ends(
        "grows",
        text,
        &less,
        "out-of-memory",
        "it has 781 KiB of the 1 MiB",
        "--max-memory",
    );
    let huge = "(module (table 4294967295 funcref) (func (export \"_start\")))";
    ends(
        "huge",
        huge,
        &[],
        "out-of-memory",
        "it asked for 4294967295",
        "--max-table-elements",
    );
}

#[test]
fn a_heap_of_garbage_collected_values_is_limited() {
    let keeps = "(module (type $node (struct (field (ref null $node)) (field i64)))
        (global $list (mut (ref null $node)) (ref.null $node))
        (func (export \"_start\") (loop $more
            (global.set $list (struct.new $node (global.get $list) (i64.const 1)))
            (br $more))))";
    let less = ["--max-memory", "64MiB"];
    ends(
        "keeps",
        keeps,
        &less,
        "out-of-memory",
        "of the 64 MiB that it may have",
        "--max-memory",
    );
    let array = "(module (type $bytes (array (mut i8)))
        (func (export \"_start\") (drop (array.new $bytes (i32.const 1) (i32.const -16)))))";
    ends(
        "array",
        array,
        &[],
        "out-of-memory",
        "of garbage-collected values is full",
        "",
    );
}

#[test]
fn a_shared_memory_counts_with_all_that_it_may_ever_have() {
    let text = |most: u32| {
        format!(
            "(module (memory (export \"memory\") 1 {most} shared) (func (export \"_start\") (drop (memory.grow (i32.const 1)))))"
        )
    };
    ends(
        "shared",
        &text(65536),
        &[],
        "out-of-memory",
        "it asks for 4.0 GiB, and may have 2 GiB",
        "--max-memory",
    );
    let end = beside("shared", &text(16384), &[]);
    assert_eq!(end["outcome"], "passed", "{end:#}");
    let end = beside("shared", &text(65536), &["--max-memory", "4GiB"]);
    assert_eq!(end["outcome"], "passed", "{end:#}");
}

#[test]
fn a_test_that_copes_with_what_it_is_refused_has_passed() {
    let text = "(module (memory 1) (func (export \"_start\")
        (if (i32.ne (memory.grow (i32.const 60000)) (i32.const -1)) (then unreachable))))";
    assert_eq!(beside("copes", text, &[])["outcome"], "passed");
}

#[test]
fn what_was_refused_is_said_beside_another_failure() {
    let text = "(module (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
        (memory (export \"memory\") 1) (func (export \"_start\")
        (if (i32.eq (memory.grow (i32.const 60000)) (i32.const -1)) (then (call $exit (i32.const 3))))))";
    ends(
        "leaves",
        text,
        &[],
        "failed",
        "status 3",
        "asked for 3.7 GiB more",
    );
}

#[test]
fn a_component_is_made_of_so_many_instances_and_no_more() {
    let instances = "(core instance (instantiate $m)) ".repeat(12);
    let text = format!(
        "(component (core module $m (func (export \"run\") (result i32) (i32.const 0))) {instances}
            (core instance $i (instantiate $m))
            (func $run (result (result)) (canon lift (core func $i \"run\")))
            (instance $run (export \"run\" (func $run)))
            (export \"wasi:cli/run@0.2.0\" (instance $run)))"
    );
    assert_eq!(beside("many", &text, &[])["outcome"], "passed");
    let less = ["--max-instances", "5"];
    ends(
        "many",
        &text,
        &less,
        "errored",
        "more than 5 instances",
        "--max-instances",
    );
}

#[test]
fn exec_has_no_limit_unless_one_is_given() {
    let dir = tempfile::tempdir().expect("a folder");
    let text = "(module (memory 1) (func (export \"_start\")
        (if (i32.eq (memory.grow (i32.const 49152)) (i32.const -1)) (then unreachable))))";
    let module = wat(dir.path(), "grows.wasm", text);
    let exec = |more: &[&str]| finish(wasmtest().arg("exec").args(more).arg(&module));
    assert_eq!(exec(&[]).code, 0);
    let limited = exec(&["--max-memory", "1GiB"]);
    assert_eq!(limited.code, 134, "{limited:?}");
    assert!(
        limited.stderr.contains("of the 1 GiB that it may have"),
        "{limited:?}"
    );
    assert!(limited.stderr.contains("--max-memory"), "{limited:?}");
}

#[test]
fn a_limit_that_makes_no_sense_is_refused_with_its_flag() {
    for (flag, value) in [
        ("--max-memory", "lots"),
        ("--max-table-elements", "-1"),
        ("--max-instances", "1k"),
    ] {
        let ran = run(["x.wasm", &format!("{flag}={value}")]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(
            ran.stderr.contains(flag) && ran.stderr.contains(value),
            "{ran:?}"
        );
    }
}

/// Slots of the pool keep what their guests had mapped; a worker whose own limit counted that
/// would refuse later guests what they may have.
#[test]
fn one_large_guest_after_another_has_all_that_it_may_have() {
    let dir = tempfile::tempdir().expect("a folder");
    let modules: Vec<PathBuf> = (0..20)
        .map(|n| {
            let text = format!(
                "(module (memory 1) (func (export \"_start\")
                    (if (i32.eq (memory.grow (i32.const 30000)) (i32.const -1)) (then unreachable))
                    (i32.store (i32.const {n}) (i32.const 1))))"
            );
            wat(dir.path(), &format!("m{n}.wasm"), &text)
        })
        .collect();
    let mut args: Vec<&str> = modules.iter().map(|m| arg(m)).collect();
    args.extend(["--processes", "1"]);
    let ran: Events = events(args);
    assert_eq!(ran.summary()["passed"], 20, "{ran:#?}");
}

/// A program that calls the SDK's functions: 64 MiB of memory, zeros but for `text`, which begins
/// at 16.
fn reports(text: &str, body: &str) -> String {
    format!(
        "(module
            (import \"wasmtest:test/host@0.1.0\" \"attach\" (func $attach (param i32 i32 i32 i32 i32 i32)))
            (import \"wasmtest:test/host@0.1.0\" \"log\" (func $log (param i32 i32)))
            (import \"wasi_snapshot_preview1\" \"fd_write\" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export \"memory\") 1024) (data (i32.const 16) \"{text}\")
            (func $times (param $n i32) (param $length i32)
                (loop $more
                    (call $attach (i32.const 16) (local.get $length) (i32.const 16) (local.get $length) (i32.const 0) (i32.const 0))
                    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
                    (br_if $more (local.get $n))))
            (func (export \"_start\") {body}))"
    )
}

/// How long the longest line is that a run prints of a program, and how the program ended.
fn longest_line(text: &str) -> (usize, Value) {
    let dir = tempfile::tempdir().expect("a folder");
    let module = wat(dir.path(), "reports.wasm", text);
    let ran = run(["--message-format", "json", arg(&module)]);
    let longest = ran.stdout.lines().map(str::len).max();
    let end = Events::of(ran).end("main")["wasmtest"].clone();
    (longest.expect("there are lines"), end)
}

#[test]
fn names_of_attachments_count_as_their_content_does() {
    let many = reports(
        &"n".repeat(1000),
        "(call $times (i32.const 10000) (i32.const 1000))",
    );
    let (longest, end) = longest_line(&many);
    assert_eq!(end["outcome"], "errored", "{}", end["message"]);
    let message = end["message"].as_str().expect("told");
    assert!(message.contains("more than 16 MiB"), "{message}");
    assert!(longest < 17 << 20, "{longest}");
}

#[test]
fn what_is_escaped_counts_as_it_is_written() {
    // 4 MiB of zeros at once, as a log: 24 MiB of a report
    let logs = reports("", "(call $log (i32.const 65536) (i32.const 4194304))");
    let (longest, end) = longest_line(&logs);
    assert_eq!(end["outcome"], "errored");
    assert!(longest < 1 << 20, "{longest}");
    // as an attachment it is written otherwise
    let attaches = "(call $attach (i32.const 16) (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 65536) (i32.const 4194304))";
    let (longest, end) = longest_line(&reports("n", attaches));
    assert_eq!(end["outcome"], "passed", "{}", end["message"]);
    assert!(end["attachments"][0]["base64"].is_string());
    assert!(longest < 6 << 20, "{longest}");
}

#[test]
fn output_of_zeros_alone_makes_no_longer_a_line_than_other_output() {
    // one piece of 16 MiB, from address 65536
    let body =
        "(i32.store (i32.const 0) (i32.const 65536)) (i32.store (i32.const 4) (i32.const 16777216))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) unreachable";
    let (longest, end) = longest_line(&reports("", body));
    assert_eq!(end["outcome"], "errored");
    assert!(longest < 1 << 20, "{longest}");
}

#[test]
fn files_that_are_open_are_limited_and_the_guest_is_told() {
    let text = "(module
        (import \"wasi_snapshot_preview1\" \"path_open\" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
        (memory (export \"memory\") 1) (data (i32.const 16) \"a\")
        (func (export \"_start\") (local $errno i32)
            (loop $more
                (local.set $errno (call $open (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 1) (i64.const 66) (i64.const 0) (i32.const 0) (i32.const 32)))
                (br_if $more (i32.eqz (local.get $errno))))
            (call $exit (local.get $errno))))";
    // what WASI calls EMFILE
    ends(
        "opens",
        text,
        &[],
        "failed",
        "status 33",
        "has 1000 files and folders open",
    );
    let less = ["--max-open-files", "50"];
    ends(
        "opens",
        text,
        &less,
        "failed",
        "status 33",
        "--max-open-files",
    );
}

/// A program that writes so many pieces of a MiB.
fn writes(pieces: u32) -> String {
    format!(
        "(module
            (import \"wasi_snapshot_preview1\" \"fd_write\" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export \"memory\") 32)
            (func (export \"_start\") (local $n i32)
                (local.set $n (i32.const {pieces}))
                (i32.store (i32.const 0) (i32.const 65536)) (i32.store (i32.const 4) (i32.const 1048576))
                (loop $more
                    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
                    (br_if $more (local.get $n)))))"
    )
}

#[test]
fn what_a_test_writes_is_limited() {
    let less = ["--max-output", "10MiB"];
    ends(
        "flood",
        &writes(1_000_000),
        &less,
        "errored",
        "more than 10 MiB to stdout",
        "--max-output",
    );
    assert_eq!(beside("little", &writes(10), &less)["outcome"], "passed");
}

#[test]
fn how_much_is_kept_of_what_a_test_writes_is_an_option() {
    let dir = tempfile::tempdir().expect("a folder");
    let text = writes(2).replace("\") 32)\n", "\") 32) (data (i32.const 65536) \"begin\")\n");
    let text = text.replace(
        "(br_if $more (local.get $n)))))",
        "(br_if $more (local.get $n))) unreachable))",
    );
    let module = wat(dir.path(), "writes.wasm", &text);
    let stdout = |more: &[&str]| {
        let ran = events([&[arg(&module)], more].concat());
        ran.end("main")["stdout"].as_str().expect("told").to_owned()
    };
    let left_out = |bytes: u64| format!("[{bytes} bytes left out]");
    let few = stdout(&["--keep-output", "5"]);
    assert!(
        few.starts_with("begin\n[2097147 bytes left out]\n"),
        "{few}"
    );
    // zeros count for six
    let kept = 5 + (262_144 - 5) / 6 + 262_144 / 6;
    assert!(stdout(&[]).contains(&left_out((2 << 20) - kept)));
}

/// What the system has of a process: its limit of private writable memory, and how willingly it
/// is ended where memory runs out.
fn of_process(process: u32) -> (String, i32) {
    let read = |file: &str| {
        let text = std::fs::read_to_string(format!("/proc/{process}/{file}"));
        text.expect("it is there")
    };
    let limits = read("limits");
    let data = limits.lines().find_map(|l| l.strip_prefix("Max data size"));
    let data = data.and_then(|l| l.split_whitespace().next());
    let score = read("oom_score_adj").trim().parse();
    (data.expect("told").to_owned(), score.expect("a number"))
}

#[test]
fn the_system_limits_a_worker_and_ends_it_before_others() {
    let dir = tempfile::tempdir().expect("a folder");
    let text = "(module (func (export \"_start\") (loop $for_ever (br $for_ever))))";
    let spins = wat(dir.path(), "spins.wasm", text);
    let mut run = Watched::start(&[arg(&spins), "--processes", "1"]);
    run.wait_for("started", "main");
    let (_, own) = of_process(run.child.id());
    let worker = *run.children().first().expect("it runs the test");
    let data = loop {
        match of_process(worker) {
            (data, score) if data != "unlimited" => {
                assert_eq!(score, (own + 500).min(1000));
                break data.parse::<u64>().expect("a number");
            }
            // it begins
            _ => std::thread::yield_now(),
        }
    };
    assert!(data > 3 << 30 && data < 16 << 30, "{data}");
    run.signal(libc::SIGINT);
    assert_eq!(run.finish().code, 130);
}

/// A program that writes so many MB of a letter to stdout, and as many to stderr, and traps.
fn writes_much(folder: &Path, megabytes: usize) -> PathBuf {
    let text = format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 40)
            (func (export "_start") (local $i i32)
                (memory.fill (i32.const 16) (i32.const 0x78) (i32.const 1000000))
                (i32.store (i32.const 0) (i32.const 16))
                (i32.store (i32.const 4) (i32.const 1000000))
                (loop $again
                    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                    (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $again (i32.lt_u (local.get $i) (i32.const {megabytes}))))
                unreachable))"#
    );
    wat(folder, "writes.wasm", &text)
}

#[test]
fn as_much_output_as_can_be_kept_can_be_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let module = writes_much(folder.path(), 20);
    let ran = events([arg(&module), "--keep-output", "8MiB"]);
    assert_eq!((ran.code, ran.outcome("main")), (1, "errored"));
    let stdout = ran.end("main")["stdout"].as_str().expect("told");
    // of both streams the head and the tail
    assert!(stdout.len() > 32 << 20, "{}", stdout.len());
    let ran = run([arg(&module), "--keep-output", "9MiB"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("more than 8MiB"), "{}", ran.stderr);
}
