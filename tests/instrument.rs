//! Real guests with their memory from outside behave as they do with their own.

use crate::support::{Target, guest};
use std::ops::Range;
use wasmparser::{Parser, Payload};
use wasmtest_host::inside::{
    Compiler, Gaps, Globals, OffsetMap, PassOutput, Replayed, RewriteFacts, SnapshotImage, engine,
    gaps, rewrite, strip,
};
use wasmtime::{Engine, Instance, Linker, Module, Store};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{I32Exit, WasiCtxBuilder};

const GUESTS: [&str; 4] = ["verdicts", "thousand", "sandbox", "exits"];

/// What came of `_start`: exit status or error, and the output.
type Ran = (String, Vec<u8>);

struct Guests {
    engine: Engine,
    linker: Linker<WasiP1Ctx>,
}

impl Guests {
    fn new() -> Guests {
        let engine = engine::for_running(Compiler::BEST, 1 << 20).expect("a pool");
        let mut linker = Linker::new(&engine);
        p1::add_to_linker_sync(&mut linker, |t| t).expect("they are new");
        Guests { engine, linker }
    }

    fn store(&self, args: &[&str]) -> (Store<WasiP1Ctx>, MemoryOutputPipe) {
        let out = MemoryOutputPipe::new(1 << 20);
        let wasi = WasiCtxBuilder::new()
            .args(args)
            .stdout(out.clone())
            .stderr(out.clone())
            .build_p1();
        let mut store = Store::new(&self.engine, wasi);
        store.set_epoch_deadline(1);
        (store, out)
    }

    fn compile(&self, bytes: &[u8]) -> Module {
        Module::new(&self.engine, strip(bytes).bytes).expect("it compiles")
    }

    fn replay(&self, bytes: &[u8]) -> (SnapshotImage<WasiP1Ctx>, Module, RewriteFacts, OffsetMap) {
        let made = rewrite(bytes).expect("it is understood");
        let stripped = made.then(strip);
        let main = Module::new(&self.engine, &stripped.bytes).expect("it compiles");
        let initial_memory = self.compile(&made.facts.initial_memory);
        let replay = SnapshotImage::new(&self.linker, &main, &initial_memory, &Globals::default());
        let replay = replay.expect("the parts fit");
        (replay, main, made.facts.facts.clone(), stripped.offsets)
    }
}

fn start(instance: Instance, store: &mut Store<WasiP1Ctx>, out: &MemoryOutputPipe) -> Ran {
    let start = instance
        .get_typed_func::<(), ()>(&mut *store, "_start")
        .expect("it has one");
    let ending = match start.call(&mut *store, ()) {
        Ok(()) => "returned".to_owned(),
        Err(e) => match e.downcast_ref::<I32Exit>() {
            Some(exit) => format!("exit {}", exit.0),
            None => e.root_cause().to_string(),
        },
    };
    (ending, out.contents().to_vec())
}

#[test]
fn real_guests_behave_the_same_with_their_memory_from_outside() {
    let guests = Guests::new();
    for name in GUESTS {
        for profile in ["dev", "stripped"] {
            let bytes = std::fs::read(guest(name, Target::P1, profile)).expect("it can be read");
            let ordinary = guests.compile(&bytes);
            let (replay, _, facts, _) = guests.replay(&bytes);
            assert_eq!(facts.stack_pointer, Some(0), "{name}");
            for args in [&["guest", "--list"][..], &["guest", "passes"]] {
                let (mut store, out) = guests.store(args);
                let instance = guests
                    .linker
                    .instantiate(&mut store, &ordinary)
                    .expect("an instance");
                let expected = start(instance, &mut store, &out);
                // twice, so that what the first one did would be noticed
                for _ in 0..2 {
                    let (mut store, out) = guests.store(args);
                    let replayed = replay.instantiate(&mut store).expect("an instance");
                    let ran = start(replayed.instance, &mut store, &out);
                    replay.release(&mut store, &replayed);
                    assert_eq!(ran, expected, "{name} {args:?}");
                }
            }
        }
    }
}

#[test]
fn offsets_of_a_trap_lead_back_to_the_same_function() {
    let guests = Guests::new();
    let bytes = std::fs::read(guest("verdicts", Target::P1, "dev")).expect("it can be read");
    let ordinary = guests.compile(&bytes);
    let (replay, _, _, offsets) = guests.replay(&bytes);
    let before = strip(&bytes).offsets;
    let args = ["guest", "assertion_fails", "--nocapture"];
    let trace = |store: &mut Store<WasiP1Ctx>, instance: Instance| -> Vec<(u32, Option<usize>)> {
        let start = instance
            .get_typed_func::<(), ()>(&mut *store, "_start")
            .expect("it has one");
        let error = start.call(&mut *store, ()).expect_err("it traps");
        let trace = error
            .downcast_ref::<wasmtime::WasmBacktrace>()
            .unwrap_or_else(|| panic!("{error:?}"));
        let frames = trace.frames().iter();
        frames
            .map(|f| (f.func_index(), f.module_offset()))
            .collect()
    };
    let (mut store, _) = guests.store(&args);
    let instance = guests
        .linker
        .instantiate(&mut store, &ordinary)
        .expect("an instance");
    let expected = trace(&mut store, instance);
    let (mut store, _) = guests.store(&args);
    let replayed = replay.instantiate(&mut store).expect("an instance");
    let moved = trace(&mut store, replayed.instance);
    assert_ne!(moved, expected);
    let back = |trace: Vec<(u32, Option<usize>)>, offsets: &OffsetMap| -> Vec<_> {
        let frames = trace.into_iter();
        let back = |(function, offset): (u32, Option<usize>)| {
            (function, offset.map(|o| offsets.original(o)))
        };
        frames.map(back).collect()
    };
    assert_eq!(back(moved, &offsets), back(expected, &before));
}

/// Where functions' bodies lie, by module.
fn bodies(bytes: &[u8]) -> Vec<Vec<Range<usize>>> {
    let mut modules = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.expect("it parses") {
            Payload::Version { .. } => modules.push(Vec::new()),
            Payload::CodeSectionEntry(body) => {
                let module: &mut Vec<_> = modules.last_mut().expect("it has begun");
                module.push(body.range());
            }
            _ => {}
        }
    }
    modules
}

#[test]
fn every_function_of_real_guests_leads_back_through_all_passes() {
    let leads_back = |original: &[u8], made: &PassOutput<'_, Gaps>, name: &str| {
        if name == "gaps" {
            assert!(made.facts.is_filled(), "{}", made.facts.told());
        }
        let (old, new) = (bodies(original), bodies(&made.bytes));
        assert_eq!(old.len(), new.len(), "{name}");
        for (old, new) in old.into_iter().zip(new) {
            for (old, new) in old.into_iter().zip(new) {
                for (old, new) in [(old.start, new.start), (old.end - 1, new.end - 1)] {
                    assert_eq!(made.offsets.original(new), old, "{name}");
                    assert_eq!(made.offsets.function(new, 5), 5, "{name}");
                }
            }
        }
    };
    let (p1, p2) = (Target::P1, Target::P2);
    for (name, target) in [("gaps", p1), ("verdicts", p1), ("verdicts", p2)] {
        let bytes = std::fs::read(guest(name, target, "dev")).expect("it can be read");
        let stripped = strip(&bytes);
        leads_back(&bytes, &stripped.then(|m| gaps::fill(&bytes, m)), name);
        // a component cannot be rewritten
        if let Ok(rewritten) = rewrite(&bytes) {
            let stripped = rewritten.then(strip);
            leads_back(&bytes, &stripped.then(|m| gaps::fill(&bytes, m)), name);
        }
    }
}

#[test]
fn a_real_guest_goes_on_where_another_instance_stood() {
    let guests = Guests::new();
    let bytes = std::fs::read(guest("sdk_cdylib", Target::P1, "dev")).expect("it can be read");
    let (replay, main, facts, _) = guests.replay(&bytes);
    let tests: Vec<String> = main
        .exports()
        .map(|e| e.name().to_owned())
        .filter(|n| n.starts_with("wasmtest:") && n.contains("::"))
        .collect();
    assert!(!tests.is_empty());
    let call = |replayed: &Replayed, store: &mut Store<WasiP1Ctx>, test: &str| -> String {
        let test = replayed
            .instance
            .get_typed_func::<(), i32>(&mut *store, test)
            .expect("it is exported");
        match test.call(store, ()) {
            Ok(status) => status.to_string(),
            Err(e) => e.root_cause().to_string(),
        }
    };
    for test in &tests {
        let (mut store, _) = guests.store(&["guest"]);
        let replayed = replay.instantiate(&mut store).expect("an instance");
        let first = call(&replayed, &mut store, test);
        if first != "0" {
            continue;
        }
        let captured = replayed.capture(&mut store, &facts).expect("it fits");
        let state = Module::new(&guests.engine, &captured.state).expect("it compiles");
        let later = SnapshotImage::new(&guests.linker, &main, &state, &captured.globals)
            .expect("the parts fit");
        let mut seen = Vec::new();
        for _ in 0..2 {
            let (mut store, _) = guests.store(&["guest"]);
            let replayed = later.instantiate(&mut store).expect("an instance");
            assert!(replayed.capture(&mut store, &facts).expect("it fits") == captured);
            seen.push(call(&replayed, &mut store, test));
            later.release(&mut store, &replayed);
        }
        assert_eq!(seen[0], seen[1], "{test}");
    }
}
