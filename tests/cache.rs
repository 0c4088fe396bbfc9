//! Compiled once, kept in private, never believed when it does not fit.

use crate::support::{Target, arg, finish, guest, wasmtest, wat};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

fn with_cache(cache: &Path) -> Command {
    let mut command = wasmtest();
    command.args([
        "run",
        arg(&guest("verdicts", Target::P1, "dev")),
        "--cache-dir",
        arg(cache),
    ]);
    command.args(["--exact", "--", "tests::passes"]);
    command
}

/// Whether a run compiled anything; it must have passed.
fn compiled(command: &mut Command) -> bool {
    let ran = finish(command);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    ran.stderr.contains("compiled 1 module")
}

fn artefact(cache: &Path) -> PathBuf {
    let files = fs::read_dir(cache.join("v1")).expect("it was made");
    let mut found = files
        .map(|f| f.expect("readable").path())
        .filter(|p| p.extension().is_some_and(|e| e == "cwasm"));
    let artefact = found.next().expect("there is one");
    assert_eq!(found.next(), None);
    artefact
}

#[test]
fn a_cache_below_a_folder_that_others_can_write_to_is_refused() {
    let open = tempfile::tempdir().expect("a folder");
    let cache = open.path().join("mine");
    let set = |mode| {
        fs::set_permissions(open.path(), fs::Permissions::from_mode(mode)).expect("set");
    };
    assert!(compiled(&mut with_cache(&cache)));
    set(0o777);
    let ran = finish(&mut with_cache(&cache));
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stderr.contains("above it has mode 777"),
        "{}",
        ran.stderr
    );
    // there only its owner can put another in its place
    set(0o1777);
    assert!(!compiled(&mut with_cache(&cache)));
}

#[test]
fn a_module_is_compiled_once_and_again_only_when_what_is_kept_does_not_fit() {
    let cache = tempfile::tempdir().expect("a folder");
    let cache = cache.path();
    assert!(compiled(&mut with_cache(cache)));
    assert!(!compiled(&mut with_cache(cache)));
    let file = artefact(cache);
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&cache.join("v1")), 0o700);
    assert_eq!(mode(&file) & 0o077, 0);
    // one bit in the middle of the native code
    let good = fs::read(&file).expect("ours");
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    fs::write(&file, &bad).expect("ours");
    assert!(compiled(&mut with_cache(cache)));
    assert_eq!(
        fs::read(artefact(cache)).expect("ours"),
        good,
        "compiling is deterministic"
    );
    // cut short
    fs::write(&file, &good[..100]).expect("ours");
    assert!(compiled(&mut with_cache(cache)));
    // writable by others
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).expect("ours");
    assert!(compiled(&mut with_cache(cache)));
    // something else under the right name, with a record to match
    fs::write(file.with_extension("cwasm.json"), "{}").expect("ours");
    assert!(compiled(&mut with_cache(cache)));
    assert!(!compiled(&mut with_cache(cache)));
}

#[test]
fn an_artefact_that_wasmtime_refuses_is_made_again() {
    let cache = tempfile::tempdir().expect("a folder");
    let cache = cache.path();
    assert!(compiled(&mut with_cache(cache)));
    // as another version would have left it: the record fits, the content does not
    let file = artefact(cache);
    let record = file.with_extension("cwasm.json");
    let foreign = b"not an ELF file at all";
    fs::write(&file, foreign).expect("ours");
    let mut json: serde_json::Value =
        serde_json::from_slice(&fs::read(&record).expect("ours")).expect("JSON");
    json["checksum"] = blake3::hash(foreign).to_hex().as_str().into();
    fs::write(&record, json.to_string()).expect("ours");
    let ran = finish(&mut with_cache(cache));
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(fs::read(&file).expect("made again").starts_with(b"\x7fELF"));
}

#[test]
fn a_cache_that_others_can_reach_is_refused() {
    let cache = tempfile::tempdir().expect("a folder");
    fs::create_dir(cache.path().join("v1")).expect("made");
    fs::set_permissions(cache.path().join("v1"), fs::Permissions::from_mode(0o777)).expect("ours");
    let ran = finish(&mut with_cache(cache.path()));
    assert_eq!(ran.code, 3);
    assert!(
        ran.stderr.contains("not this user's alone") && ran.stderr.contains("chmod 700"),
        "{}",
        ran.stderr
    );
}

#[test]
fn where_the_usual_place_is_not_private_a_run_does_without_and_leaves_nothing_there() {
    let home = tempfile::tempdir().expect("a folder");
    let usual = home.path().join("cache");
    fs::create_dir(&usual).expect("made");
    fs::set_permissions(&usual, fs::Permissions::from_mode(0o777)).expect("ours");
    let mut command = with_cache(Path::new(""));
    let ran = finish(command.env("XDG_CACHE_HOME", &usual));
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stderr.contains("kept for this run only") && ran.stderr.contains("has mode 777"),
        "{}",
        ran.stderr
    );
    assert_eq!(fs::read_dir(&usual).expect("ours").count(), 0);
    // one that was asked for is not replaced by another
    let ran = finish(&mut with_cache(&usual));
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(fs::read_dir(&usual).expect("ours").count(), 0);
}

#[test]
fn what_could_not_be_compiled_did_not_come_from_the_cache() {
    let folder = tempfile::tempdir().expect("a folder");
    // read, and then refused by the compiler
    let broken = wat(
        folder.path(),
        "broken.wasm",
        r#"(module (func (export "_start") i32.add))"#,
    );
    let cache = folder.path().join("cache");
    let ran = finish(wasmtest().args(["run", arg(&broken), "--cache-dir", arg(&cache)]));
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    let said = ran.stderr + &ran.stdout;
    assert!(
        said.contains("compiled 0 modules") && !said.contains("from cache"),
        "{said}"
    );
}

#[test]
fn where_no_cache_can_be_kept_tests_run_all_the_same() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let ran = finish(&mut with_cache(&file.path().join("below-a-file")));
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stderr.contains("kept for this run only"),
        "{}",
        ran.stderr
    );
}

#[test]
fn two_runs_at_once_compile_once() {
    let cache = tempfile::tempdir().expect("a folder");
    let mut runs: Vec<_> = (0..4)
        .map(|_| {
            with_cache(cache.path())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .expect("it starts")
        })
        .collect();
    for run in &mut runs {
        assert!(run.wait().expect("it ends").success());
    }
    artefact(cache.path());
}

#[test]
fn the_cache_can_be_shown_and_cleared() {
    let cache = tempfile::tempdir().expect("a folder");
    compiled(&mut with_cache(cache.path()));
    let act = |action: &[&str]| {
        let ran = finish(
            wasmtest()
                .arg("cache")
                .args(action)
                .args(["--cache-dir", arg(cache.path())]),
        );
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout
    };
    let shown = act(&[]);
    assert!(
        shown.contains("1 compiled module (1 by winch),") && shown.contains("2 GiB and 14 days"),
        "{shown}"
    );
    assert_eq!(act(&["show"]), shown);
    assert!(act(&["clear"]).contains("removed 1 compiled module (1 by winch),"));
    assert!(act(&["show"]).contains("0 compiled modules, 0.0 MiB"));
}

#[test]
fn debug_information_is_kept_out_of_what_is_compiled() {
    let cache = tempfile::tempdir().expect("a folder");
    compiled(&mut with_cache(cache.path()));
    let kept = fs::read(artefact(cache.path())).expect("ours");
    let contains = |mark: &[u8]| kept.windows(mark.len()).any(|w| w == mark);
    assert!(!contains(b".debug_info"));
    assert!(!contains(b"runs_out_of_memory17h"), "the name section");
}

#[test]
fn a_memory_of_which_little_is_set_compiles_into_little() {
    let dir = tempfile::tempdir().expect("a folder");
    for memories in [1, 8] {
        let cache = dir.path().join(format!("cache-{memories}"));
        let each: String = (0..memories)
            .map(|i| {
                format!(
                    r#"(memory {pages}) (data (memory {i}) (i32.const 0) "a")
                       (data (memory {i}) (i32.const {last}) "b")"#,
                    pages = (1 << 30) >> 16,
                    last = (1 << 30) - 4,
                )
            })
            .collect();
        let module = format!(r#"(module {each} (func (export "_start")))"#);
        let module = wat(dir.path(), &format!("sparse-{memories}.wasm"), &module);
        let mut command = wasmtest();
        command.args(["run", arg(&module), "--cache-dir", arg(&cache)]);
        command.args(["--max-memory", "8GiB"]);
        let ran = finish(&mut command);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        let size = fs::metadata(artefact(&cache)).expect("there").len();
        assert!(size < 1 << 20, "{memories}: {size}");
    }
}

#[test]
fn a_folder_in_the_place_of_what_is_kept_is_replaced_and_cleared() {
    let cache = tempfile::tempdir().expect("a folder");
    let cache = cache.path();
    assert!(compiled(&mut with_cache(cache)));
    let kept = || fs::read_dir(cache.join("v1")).expect("made").flatten();
    let spoil = || {
        for entry in kept() {
            let path = entry.path();
            if path.extension().is_none_or(|e| e != "lock") {
                fs::remove_file(&path).expect("ours");
                fs::create_dir_all(path.join("in the way")).expect("made");
            }
        }
    };
    spoil();
    let ran = finish(&mut with_cache(cache));
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(artefact(cache).is_file());
    spoil();
    let cleared = finish(wasmtest().args(["cache", "clear", "--cache-dir", arg(cache)]));
    assert_eq!(cleared.code, 0, "{}", cleared.stderr);
    assert!(kept().all(|entry| entry.path().is_file()));
}
