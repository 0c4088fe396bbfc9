//! Public crates' own tests: every verdict as the runtime alone gives it.
//!
//! The reference is a tiny embedder of wasmtime, one test at a time, with the
//! arguments that cargo-nextest would use.

use crate::support::{arg, events};
use serde_json::Value;
use std::path::Path;
use wasmtime::{Engine, Linker, Module, Store};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{I32Exit, WasiCtxBuilder};
use xtask::suites::{SUITES, Suite, build, fetch};

struct Reference {
    engine: Engine,
    module: Module,
    linker: Linker<WasiP1Ctx>,
}

impl Reference {
    fn new(file: &Path) -> Reference {
        let engine = Engine::default();
        let module = Module::from_file(&engine, file).expect("it compiles");
        let mut linker = Linker::new(&engine);
        p1::add_to_linker_sync(&mut linker, |t| t).expect("it links");
        Reference {
            engine,
            module,
            linker,
        }
    }

    /// Whether the guest came back with status 0, and what it wrote to stdout.
    fn call(&self, args: &[&str]) -> (bool, String) {
        let out = MemoryOutputPipe::new(64 << 20);
        let wasi = WasiCtxBuilder::new()
            .arg("reference")
            .args(args)
            .stdout(out.clone())
            .build_p1();
        let mut store = Store::new(&self.engine, wasi);
        let called = self
            .linker
            .instantiate(&mut store, &self.module)
            .and_then(|i| i.get_typed_func::<(), ()>(&mut store, "_start"))
            .and_then(|f| f.call(&mut store, ()));
        let good = match called {
            Ok(()) => true,
            Err(e) => e.downcast_ref::<I32Exit>().is_some_and(|e| e.0 == 0),
        };
        (good, String::from_utf8_lossy(&out.contents()).into_owned())
    }

    fn list(&self) -> Vec<String> {
        let (good, list) = self.call(&["--list", "--format", "terse"]);
        assert!(good);
        let names = list
            .lines()
            .filter_map(|l| l.strip_suffix(": test").or(l.strip_suffix(": benchmark")));
        names.map(str::to_owned).collect()
    }

    fn verdict(&self, test: &str) -> &'static str {
        let (good, out) = self.call(&[test, "--exact", "--nocapture"]);
        // it is told as ignored, and passes where it is really run
        if out.contains(" - should panic ... ignored") {
            return "passed";
        }
        match (
            good,
            out.contains("\ntest result: ok. 1 passed;"),
            out.contains("; 1 ignored;"),
        ) {
            (true, true, _) => "passed",
            (true, false, true) => "skipped",
            _ => "not passed",
        }
    }
}

#[test]
fn every_verdict_of_seven_public_crates_is_the_runtimes_own() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("suites");
    fetch(&folder, SUITES.iter()).expect("they can be fetched");
    let mut compared = 0;
    for Suite { name, profile, .. } in SUITES {
        let binaries = build(&folder, name, profile, xtask::target::WASIP1).expect("it builds");
        assert!(!binaries.is_empty(), "{name} has no test binary");
        for (_, file) in binaries {
            let reference = Reference::new(&file);
            let mut names = reference.list();
            let run = |how: &[&str]| {
                let args = [arg(&file), "--process-timeout", "300"];
                events([&args[..], how].concat())
            };
            let (events, plain) = (run(&[]), run(&["--libtest", "plain"]));
            let verdict = |end: &Value| match end["wasmtest"]["outcome"].as_str() {
                Some("passed") => "passed",
                Some("skipped") => "skipped",
                _ => "not passed",
            };
            let mut ours: Vec<String> = events
                .ends()
                .map(|e| e["wasmtest"]["test"].as_str().expect("a test").to_owned())
                .collect();
            ours.sort();
            names.sort();
            assert_eq!(ours, names, "{name}: the same tests");
            for end in events.ends() {
                let test = end["wasmtest"]["test"].as_str().expect("a test");
                assert_eq!(
                    verdict(end),
                    reference.verdict(test),
                    "{name} {test}: {end:#}"
                );
                let other = plain.outcome(test);
                let runs_here_alone = other == "skipped" && verdict(end) == "passed";
                if runs_here_alone {
                    let message = &plain.end(test)["message"];
                    let message = message.as_str().unwrap_or_default();
                    assert!(
                        message.starts_with("should_panic: "),
                        "{name} {test}: {end:#}"
                    );
                } else {
                    assert_eq!(end["wasmtest"]["outcome"], other, "{name} {test}: {end:#}");
                }
                compared += 1;
            }
        }
    }
    assert!(compared > 300, "only {compared} verdicts");
    println!("{compared} verdicts agree");
}
