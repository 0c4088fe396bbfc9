//! What a replay costs: instances that begin from a state of 1, 16 and 256 MiB
//! and write 64 KiB of it, before and after one that read all of it, with the
//! engine that the runner uses, from a compiled form and from a file that holds the
//! memory as it is; and, given a module, what the way through a snapshot costs beside
//! an ordinary instance, and what the tests of its suites `touches_1`, `touches_16` and
//! `touches_256` cost, each begun from the state that the suite's `fill` leaves: the least that
//! they can.
//!
//! Usage: `replay_loop [MODULE]`; prints lines of JSON with microseconds.

use std::time::Instant;
use wasmtest_host::inside::engine;
use wasmtest_host::inside::rewrite;
use wasmtest_host::inside::{Compiler, Globals};
use wasmtest_host::inside::{Replayed, SnapshotImage};
use wasmtime::{Engine, Linker, Module, Store};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p1::{self, WasiP1Ctx};

/// `fill` makes the state, `write` changes 16 pages, `read` touches each page.
const GUEST: &str = r#"(module
    (memory PAGES)
    (global $runs (mut i32) (i32.const 1))
    (func (export "fill") (param $end i32) (local $at i32)
        (loop $next
            (i32.store (local.get $at) (i32.add (local.get $at) (i32.const 1)))
            (br_if $next (i32.lt_u
                (local.tee $at (i32.add (local.get $at) (i32.const 64)))
                (local.get $end))))
        (global.set $runs (i32.const 42)))
    (func (export "write") (param $step i32) (result i32) (local $i i32) (local $at i32)
        (loop $next
            (local.set $at (i32.mul (local.get $i) (local.get $step)))
            (i32.store (local.get $at) (i32.add (i32.load (local.get $at)) (i32.const 1)))
            (br_if $next (i32.lt_u
                (local.tee $i (i32.add (local.get $i) (i32.const 1)))
                (i32.const 16))))
        (global.set $runs (i32.add (global.get $runs) (i32.const 1)))
        (i32.add (i32.load (i32.const 0)) (global.get $runs)))
    (func (export "read") (param $end i32) (result i32) (local $at i32) (local $sum i32)
        (loop $next
            (local.set $sum (i32.add (local.get $sum) (i32.load (local.get $at))))
            (br_if $next (i32.lt_u
                (local.tee $at (i32.add (local.get $at) (i32.const 4096)))
                (local.get $end))))
        (local.get $sum)))"#;

/// What `write` gives in an instance that began from the state.
const FRESH: i32 = 2 + 43;

fn main() -> anyhow::Result<()> {
    let engine = engine::for_running(Compiler::BEST, 1 << 20)?;
    for mib in [1u32, 16, 256] {
        measure_state(&engine, mib)?;
    }
    let Some(path) = std::env::args().nth(1) else {
        return Ok(());
    };
    let bytes = std::fs::read(path)?;
    measure_module(&engine, &bytes)?;
    for mib in [1, 16, 256] {
        measure_suite(&engine, &bytes, mib)?;
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Release {
    Called,
    LeftOut,
}

fn measure_state(engine: &Engine, mib: u32) -> anyhow::Result<()> {
    let bytes = (mib << 20).cast_signed();
    let guest = GUEST.replace("PAGES", &(mib * 16).to_string());
    let rewritten = rewrite(&wat::parse_str(guest)?)?;
    let main = Module::new(engine, &rewritten.bytes)?;
    let initial_memory = Module::new(engine, &rewritten.facts.initial_memory)?;
    let linker = Linker::new(engine);
    let setup = SnapshotImage::new(&linker, &main, &initial_memory, &Globals::default())?;
    let mut store = store(engine, ());
    let filled = setup.instantiate(&mut store)?;
    filled
        .instance
        .get_typed_func::<i32, ()>(&mut store, "fill")?
        .call(&mut store, bytes)?;
    let (captured, capture) = timed(|| filled.capture(&mut store, &rewritten.facts.facts));
    let captured = captured?;
    let file = tempfile::tempfile()?;
    let (written, write) = timed(|| filled.write(&store, &file));
    written?;
    setup.release(&mut store, &filled);
    drop(store);
    let (state, compile) = timed(|| Module::new(engine, &captured.state));
    let state = state?;

    let replay = SnapshotImage::new(&linker, &main, &state, &captured.globals)?;
    let of_file = SnapshotImage::of_file(&linker, &main, file, &captured.globals)?;
    let run_of = |replay: &SnapshotImage<()>,
                  release: Release,
                  step: i32,
                  all: bool|
     -> anyhow::Result<f64> {
        let (ran, time) = timed(|| -> anyhow::Result<()> {
            let mut store = self::store(engine, ());
            let replayed = replay.instantiate(&mut store)?;
            let instance = &replayed.instance;
            if all {
                let read = instance.get_typed_func::<i32, i32>(&mut store, "read")?;
                read.call(&mut store, bytes)?;
            }
            let write = instance.get_typed_func::<i32, i32>(&mut store, "write")?;
            anyhow::ensure!(write.call(&mut store, step)? == FRESH, "it is not fresh");
            if release == Release::Called {
                replay.release(&mut store, &replayed);
            }
            Ok(())
        });
        ran.map(|()| time)
    };
    let run = |release, step, all| run_of(&replay, release, step, all);
    let several_of = |replay, release, step| -> anyhow::Result<f64> {
        let run = |_| run_of(replay, release, step, false);
        let runs: Result<Vec<f64>, _> = (0..2000).map(run).collect();
        Ok(median(runs?))
    };
    let several = |release, step| several_of(&replay, release, step);
    let first = several(Release::Called, 4096)?;
    let spread = several(Release::Called, bytes / 16)?;
    let spread_of_file = several_of(&of_file, Release::Called, bytes / 16)?;
    several(Release::Called, 4096)?;
    let reader = run(Release::Called, 4096, true)?;
    let after = several(Release::Called, 4096)?;
    let reader_unreleased = run(Release::LeftOut, 4096, true)?;
    let after_unreleased = several(Release::LeftOut, 4096)?;
    println!(
        "{}",
        serde_json::json!({
            "state_mib": mib,
            "capture": capture,
            "compile": compile,
            "write_to_file": write,
            "first_64_kib": first,
            "64_kib_spread": spread,
            "64_kib_spread_of_file": spread_of_file,
            "reads_all": reader,
            "after_reader": after,
            "reads_all_no_release": reader_unreleased,
            "after_reader_no_release": after_unreleased,
        })
    );
    Ok(())
}

/// Store, context and instance of a module, without a call.
fn measure_module(engine: &Engine, bytes: &[u8]) -> anyhow::Result<()> {
    let (rewritten, rewriting) = timed(|| rewrite(bytes));
    let rewritten = rewritten?;
    let mut linker: Linker<WasiP1Ctx> = Linker::new(engine);
    p1::add_to_linker_sync(&mut linker, |t| t)?;
    let ordinary = Module::new(engine, bytes)?;
    // whatever else the runner offers
    linker.define_unknown_imports_as_traps(&ordinary)?;
    let ordinary = linker.instantiate_pre(&ordinary)?;
    let main = Module::new(engine, &rewritten.bytes)?;
    let initial_memory = Module::new(engine, &rewritten.facts.initial_memory)?;
    let replay = SnapshotImage::new(&linker, &main, &initial_memory, &Globals::default())?;
    let context = || store(engine, WasiCtxBuilder::new().build_p1());
    let many = |f: &dyn Fn() -> anyhow::Result<()>| -> anyhow::Result<f64> {
        let mut times = Vec::new();
        for _ in 0..5000 {
            let (done, time) = timed(f);
            done?;
            times.push(time);
        }
        Ok(median(times))
    };
    let alone = many(&|| {
        context();
        Ok(())
    })?;
    let instance = many(&|| {
        ordinary.instantiate(&mut context())?;
        Ok(())
    })?;
    let replayed = many(&|| {
        let mut store = context();
        let replayed: Replayed = replay.instantiate(&mut store)?;
        replay.release(&mut store, &replayed);
        Ok(())
    })?;
    println!(
        "{}",
        serde_json::json!({
            "module_bytes": bytes.len(),
            "imports": main.imports().count(),
            "rewrite": rewriting,
            "store_alone": alone,
            "ordinary_instance": instance,
            "replayed_instance": replayed,
        })
    );
    Ok(())
}

/// The tests of one suite, in a store and an instance each.
fn measure_suite(engine: &Engine, bytes: &[u8], mib: u32) -> anyhow::Result<()> {
    let prefix = format!("wasmtest:replay::touches_{mib}::");
    let rewritten = rewrite(bytes)?;
    let main = Module::new(engine, &rewritten.bytes)?;
    let initial_memory = Module::new(engine, &rewritten.facts.initial_memory)?;
    let mut linker: Linker<WasiP1Ctx> = Linker::new(engine);
    p1::add_to_linker_sync(&mut linker, |t| t)?;
    linker.define_unknown_imports_as_traps(&main)?;
    let begin = |replay: &SnapshotImage<WasiP1Ctx>| -> anyhow::Result<_> {
        let mut store = store(engine, WasiCtxBuilder::new().build_p1());
        let replayed = replay.instantiate(&mut store)?;
        Ok((store, replayed))
    };
    let call = |store: &mut Store<WasiP1Ctx>, of: &Replayed, name: &str| -> anyhow::Result<()> {
        let function = of.instance.get_typed_func::<(), i32>(&mut *store, name)?;
        anyhow::ensure!(function.call(store, ())? == 0, "{name} failed");
        Ok(())
    };
    let setup = SnapshotImage::new(&linker, &main, &initial_memory, &Globals::default())?;
    let (mut store, filled) = begin(&setup)?;
    call(&mut store, &filled, &format!("{prefix}fill"))?;
    let globals = filled.globals(&mut store, &rewritten.facts.facts)?;
    let length = filled.memory.data_size(&store) as u64;
    let replay = if length >= engine::LARGEST_SPARSE_IMAGE {
        let file = tempfile::tempfile()?;
        filled.write(&store, &file)?;
        SnapshotImage::of_file(&linker, &main, file, &globals)?
    } else {
        let state = filled.capture(&mut store, &rewritten.facts.facts)?.state;
        SnapshotImage::new(&linker, &main, &Module::new(engine, &state)?, &globals)?
    };
    setup.release(&mut store, &filled);
    drop(store);
    let exports = main.exports().map(|e| e.name().to_owned());
    let tests: Vec<String> = exports
        .filter(|name| name.starts_with(&format!("{prefix}t_")))
        .collect();
    let (done, time) = timed(|| -> anyhow::Result<()> {
        for test in &tests {
            let (mut store, replayed) = begin(&replay)?;
            call(&mut store, &replayed, test)?;
            replay.release(&mut store, &replayed);
        }
        Ok(())
    });
    done?;
    println!(
        "{}",
        serde_json::json!({
            "suite_mib": mib,
            "tests": tests.len(),
            "a_test": time / tests.len() as f64,
        })
    );
    Ok(())
}

fn store<T>(engine: &Engine, data: T) -> Store<T> {
    let mut store = Store::new(engine, data);
    store.set_epoch_deadline(1);
    store
}

fn timed<R>(f: impl FnOnce() -> R) -> (R, f64) {
    let start = Instant::now();
    let result = f();
    (result, start.elapsed().as_secs_f64() * 1e6)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2] * 10.0).round() / 10.0
}
