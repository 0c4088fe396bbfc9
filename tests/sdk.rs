//! The SDK's tests: every mark, what lies in the metadata, what they cost nothing of.

use crate::support::{Events, Target, arg, events, finish, guest, run, wasmtest, wat};
use std::path::Path;

/// `(test, outcome, what its message or reason must contain)`.
const EXPECTED: &[(&str, &str, &str)] = &[
    ("is_libtests", "passed", ""),
    ("is_libtests_and_fails", "failed", "libtest's own"),
    ("is_libtests_and_asks_the_host", "passed", ""),
    ("is_libtests_and_skips_itself", "skipped", "as libtest's"),
    ("passes", "passed", ""),
    ("todo_and_blocked_in_the_host", "expected-failure", ""),
    (
        "may_use_less_memory_than_its_module_begins_with",
        "errored",
        "max_memory",
    ),
    ("passes_with_ok", "passed", ""),
    ("fails", "failed", "left: 2"),
    ("returns_an_error", "failed", "InvalidDigit"),
    ("panics_as_it_should", "passed", ""),
    ("panics_with_the_right_words", "passed", ""),
    ("panics_with_other_words", "failed", "nothing of the kind"),
    ("should_panic_and_returns", "failed", "did not panic"),
    ("should_panic_and_traps", "errored", "aborted"),
    (
        "should_panic_and_forges_one",
        "errored",
        "no panic was recorded",
    ),
    ("panics_at_length", "passed", ""),
    ("ignored", "skipped", "on purpose"),
    ("todo_and_fails", "expected-failure", ""),
    ("todo_and_passes", "failed", "the parser is not written"),
    ("skips_itself", "skipped", "no data here"),
    ("skips_if_asked_to", "skipped", "always"),
    ("is_tagged_and_described", "passed", ""),
    ("spins_beyond_its_own_limit", "timed-out", "0.2s"),
    (
        "needs_more_than_it_may",
        "out-of-memory",
        "memory allocation of 8388608 bytes",
    ),
    ("logs_and_attaches_and_fails", "failed", "after all that"),
    ("logs_and_passes", "passed", ""),
    ("knows_its_id", "passed", ""),
    ("is_alone_1", "passed", ""),
    ("is_alone_2", "passed", ""),
    ("awaits_with_tokio", "passed", ""),
    ("awaits_with_a_function", "passed", ""),
    ("exits_0", "failed", "exit(0)"),
    ("uses_std", "passed", ""),
    ("run", "passed", ""),
    ("record", "passed", ""),
    ("inner::is_nested", "passed", ""),
];

fn marks(profile: &'static str) -> Events {
    let module = guest("sdk", Target::P1, profile);
    let events = events([arg(&module), "--processes", "2"]);
    for (test, outcome, said) in EXPECTED {
        let path = format!("tests::{test}");
        let end = events.end(&path);
        assert_eq!(events.outcome(&path), *outcome, "{test}: {end:#}");
        let reason = end["message"].as_str().unwrap_or_default();
        let text = format!("{}{reason}", events.message(&path));
        assert!(text.contains(said), "{test}: {text}");
        let harness = if test.starts_with("is_libtests") {
            "libtest"
        } else {
            "sdk"
        };
        assert_eq!(end["wasmtest"]["harness"], harness);
    }
    assert_eq!(events.ends().count(), EXPECTED.len());
    events
}

#[test]
fn every_mark_has_its_outcome_in_a_debug_build() {
    let events = marks("dev");
    let end = |test: &str| events.end(&format!("tests::{test}"))["wasmtest"].clone();
    let tagged = end("is_tagged_and_described");
    assert_eq!(tagged["tags"], serde_json::json!(["slow", "db"]));
    assert_eq!(tagged["description"], "What it does in one sentence.");
    assert_eq!(end("spins_beyond_its_own_limit")["timeout"], 0.2);
    let hint = end("spins_beyond_its_own_limit")["hint"].clone();
    let told = hint.as_str().unwrap_or_default();
    assert!(told.contains("the test's own"), "{hint}");
    assert_eq!(
        end("may_use_less_memory_than_its_module_begins_with")["max_memory"],
        65536
    );
    assert!(
        tagged["source"]
            .as_str()
            .expect("known")
            .contains("sdk/src/lib.rs:")
    );
    let attached = end("logs_and_attaches_and_fails");
    assert_eq!(attached["logs"], serde_json::json!(["a line of log"]));
    assert_eq!(attached["attachments"][0]["text"], "1 2 3");
    assert_eq!(attached["attachments"][1]["base64"], "AJ+Slg==");
    assert_eq!(
        end("logs_and_passes")["logs"],
        serde_json::json!(["attempt 1"])
    );
    let fails = events.end("tests::fails");
    // what was printed without an end of line is there too
    assert!(
        fails["stdout"]
            .as_str()
            .expect("told")
            .contains("on stdout, without an end of line")
    );
    assert_eq!(
        fails["wasmtest"]["backtrace"][0]["function"],
        "sdk::tests::fails"
    );
}

#[test]
fn every_mark_has_its_outcome_in_a_release_build() {
    marks("release");
}

#[test]
fn every_mark_has_its_outcome_after_fat_lto() {
    marks("fat-lto");
}

#[test]
fn every_mark_has_its_outcome_in_a_stripped_build() {
    marks("stripped");
}

#[test]
fn for_wasip2_the_same_tests_are_libtests_and_none_is_lost() {
    let module = guest("sdk", Target::P2, "dev");
    let events = events([arg(&module), "--process-timeout", "2"]);
    assert_eq!(events.ends().count(), EXPECTED.len());
    assert_eq!(events.outcome("tests::passes"), "passed");
    assert_eq!(events.outcome("tests::panics_as_it_should"), "skipped");
    assert_eq!(events.outcome("tests::todo_and_fails"), "skipped");
    assert_eq!(events.outcome("tests::skips_itself"), "skipped");
    let skipped = events.end("tests::skips_itself")["message"]
        .as_str()
        .expect("a reason");
    assert!(skipped.contains("no data here"), "{skipped}");
}

#[test]
fn a_library_without_a_harness_has_tests_too() {
    let module = guest("sdk_cdylib", Target::P1, "dev");
    let events = events([arg(&module)]);
    assert_eq!(events.outcome("adds"), "passed");
    assert_eq!(events.outcome("fails"), "failed");
    assert_eq!(events.ends().count(), 2);
}

#[test]
fn tags_choose_tests() {
    let module = guest("sdk", Target::P1, "dev");
    let slow = events([arg(&module), "--tag", "slow"]);
    assert_eq!(slow.ends().count(), 1);
    assert_eq!(slow.outcome("tests::is_tagged_and_described"), "passed");
    let rest = events([arg(&module), "--skip-tag", "db", "--", "is_"]);
    assert!(
        rest.ends()
            .all(|e| e["wasmtest"]["test"] != "tests::is_tagged_and_described")
    );
}

#[test]
fn a_file_whose_tests_ask_nothing_of_the_host_imports_nothing_of_ours() {
    let imports = |name: &str| -> Vec<String> {
        let bytes = std::fs::read(guest(name, Target::P1, "dev")).expect("built");
        let engine = wasmtime::Engine::default();
        let module = wasmtime::Module::new(&engine, bytes).expect("valid");
        module.imports().map(|i| i.module().to_owned()).collect()
    };
    assert!(
        imports("integration")
            .iter()
            .all(|m| m == "wasi_snapshot_preview1")
    );
    assert!(
        imports("sdk")
            .iter()
            .any(|m| m == "wasmtest:test/host@0.1.0")
    );
    let events = events([arg(&guest("integration", Target::P1, "dev"))]);
    assert_eq!(events.outcome("passes_here_too"), "passed");
    assert_eq!(events.outcome("panics_here_too"), "passed");
}

/// A module with this section and these functions.
pub fn liar(dir: &Path, section: &[u8], functions: &str) -> std::path::PathBuf {
    let escaped: String = section.iter().map(|b| format!("\\{b:02x}")).collect();
    let text = format!(
        r#"(module (@custom "wasmtest" "{escaped}") (memory (export "memory") 1) {functions})"#
    );
    wat(dir, "liar.wasm", &text)
}

/// A record of a test that says its path and no more.
pub fn record(path: &str) -> Vec<u8> {
    let mut field = vec![1];
    field.extend((path.len() as u32).to_le_bytes());
    field.extend(path.as_bytes());
    raw_record(&field)
}

/// A record of a test, by SDK 0.1.0, with these fields.
pub fn raw_record(fields: &[u8]) -> Vec<u8> {
    let mut record = b"wt\x02\x00\x00\x00\x01\x00\x00\x00\x01\x00".to_vec();
    record.extend((fields.len() as u32).to_le_bytes());
    record.extend(fields);
    record
}

/// A field of a record: its tag and what it holds.
pub fn field(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag][..], &(content.len() as u32).to_le_bytes(), content].concat()
}

#[test]
fn lies_in_the_metadata_are_one_clear_error() {
    let dir = tempfile::tempdir().expect("a folder");
    let good = r#"(func (export "wasmtest:c::t") (result i32) (i32.const 0))"#;
    let refused = |section: &[u8], functions: &str| {
        let ran = run([arg(&liar(dir.path(), section, functions))]);
        assert_eq!(ran.code, 3, "{}", ran.stdout);
        assert!(
            ran.stdout.contains("ERROR  liar.wasm cannot be loaded"),
            "{}",
            ran.stdout
        );
        assert!(!ran.stdout.contains('\x1b') && !ran.stderr.contains("panicked"));
        ran.stdout
    };
    let fine = liar(dir.path(), &record("c::t"), good);
    assert_eq!(run([arg(&fine)]).code, 0);
    let twice = [record("c::t"), record("c::t")].concat();
    assert!(refused(&twice, good).contains("`t` twice"));
    assert!(refused(&record("c::\x1b[2J"), good).contains("control characters"));
    assert!(refused(&record(&"m".repeat(200 << 10)), good).contains("204800 bytes"));
    assert!(refused(&record(&"m".repeat(3 << 20)), good).contains("3145733 bytes at byte 0"));
    assert!(refused(&record("c::a\nPASS fake"), good).contains("control characters"));
    assert!(refused(&record("c::"), good).contains("without a name"));
    assert!(refused(&record(""), good).contains("0 bytes long"));
    assert!(refused(&record("c::t"), "").contains("does not export it"));
    assert!(refused(b"", good).contains("exports 1 tests and fixtures of the SDK's and lists 0"));
    assert!(refused(&record("c::\u{202e}"), good).contains("control characters"));
    let other = r#"(func (export "wasmtest:c::t") (param i64))"#;
    assert!(refused(&record("c::t"), other).contains("another type"));
    let whole = record("c::t");
    assert!(refused(&whole[..whole.len() - 1], good).contains("damaged at byte 0"));
    assert!(refused(b"not a record at all", good).contains("damaged"));
    let mut future = record("c::t");
    future[2] = 9;
    let said = refused(&future, good);
    assert!(
        said.contains("wasmtest-sdk 0.1.0 in format 9") && said.contains("reads format 2"),
        "{said}"
    );
    let mut of_another_kind = record("c::t");
    of_another_kind[10] = 99;
    assert!(refused(&of_another_kind, good).contains("does not know"));
    let name = field(1, b"c::t");
    let with = |fields: &[&[u8]]| raw_record(&[&[name.as_slice()], fields].concat().concat());
    let zero = 0u64.to_le_bytes();
    assert!(refused(&with(&[&name]), good).contains("says twice"));
    assert!(refused(&with(&[&field(7, b"")]), good).contains("a tag without a name"));
    let many = field(7, b"tag").repeat(65);
    assert!(refused(&with(&[&many]), good).contains("over 64 tags"));
    assert!(refused(&with(&[&field(3, &[0xff; 8])]), good).contains("in line"));
    assert!(refused(&with(&[&field(8, &zero)]), good).contains("limit is 0"));
    assert!(refused(&with(&[&field(9, &zero)]), good).contains("limit is 0"));
    let mut bad_text = record("c::t");
    *bad_text.last_mut().expect("not empty") = 0xff;
    assert!(refused(&bad_text, good).contains("is not what it should be"));
}

#[test]
fn tests_that_misbehave_are_failures_of_their_own() {
    let dir = tempfile::tempdir().expect("a folder");
    let section = ["never", "garbage", "traps", "good", "lies", "skips"]
        .map(|t| record(&format!("c::{t}")))
        .concat();
    let functions = r#"
        (import "wasmtest:test/host@0.1.0" "log" (func $log (param i32 i32)))
        (import "wasmtest:test/host@0.1.0" "skip" (func $skip (param i32 i32)))
        (func (export "wasmtest:c::never") (result i32) (loop $l (br $l)) (i32.const 0))
        (func (export "wasmtest:c::garbage") (result i32) (i32.const 12345))
        (func (export "wasmtest:c::traps") (result i32) unreachable)
        (func (export "wasmtest:c::good") (result i32) (i32.const 0))
        (func (export "wasmtest:c::lies") (result i32)
            (call $log (i32.const -8) (i32.const 4)) (i32.const 0))
        (func (export "wasmtest:c::skips") (result i32)
            (call $skip (i32.const 0) (i32.const 0)) (i32.const 0))"#;
    // imports come first in a module's text
    let text = functions.replace("(memory", "");
    let escaped: String = section.iter().map(|b| format!("\\{b:02x}")).collect();
    let (imports, rest) = text.split_at(text.find("(func (export").expect("there"));
    let module = wat(
        dir.path(),
        "own.wasm",
        &format!(
            r#"(module {imports} (@custom "wasmtest" "{escaped}") (memory (export "memory") 1) {rest})"#
        ),
    );
    let events = events([arg(&module), "--process-timeout", "1"]);
    assert_eq!(events.outcome("never"), "timed-out");
    assert_eq!(events.outcome("garbage"), "errored");
    assert!(events.message("garbage").contains("12345"));
    assert_eq!(events.outcome("traps"), "errored");
    assert_eq!(events.outcome("good"), "passed");
    assert_eq!(events.outcome("lies"), "errored");
    assert!(
        events
            .message("lies")
            .contains("memory that it does not have")
    );
    assert_eq!(events.outcome("skips"), "skipped");
}

#[test]
fn the_list_needs_no_guest_instruction() {
    // a module that would trap if anything in it were run
    let dir = tempfile::tempdir().expect("a folder");
    let functions = r#"(func $start unreachable) (start $start)
        (func (export "wasmtest:c::t") (result i32) unreachable)"#;
    let module = liar(dir.path(), &record("c::t"), functions);
    let list = finish(wasmtest().args(["list", arg(&module)]));
    assert_eq!((list.code, list.stdout.as_str()), (0, "liar.wasm t\n"));
}

#[test]
fn ten_thousand_tests_are_listed_from_the_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let names: Vec<String> = (0..10_000).map(|i| format!("c::t{i:05}")).collect();
    let section: Vec<u8> = names.iter().flat_map(|n| record(n)).collect();
    let exports: String = names
        .iter()
        .map(|n| format!("(export \"wasmtest:{n}\" (func $t))"))
        .collect();
    let functions = format!("(func $t (result i32) unreachable) {exports}");
    let module = liar(dir.path(), &section, &functions);
    let list = finish(wasmtest().args(["list", arg(&module)]));
    assert_eq!(list.code, 0, "{}", list.stderr);
    assert_eq!(list.stdout.lines().count(), 10_000);
}
