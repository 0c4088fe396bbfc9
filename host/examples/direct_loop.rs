//! The least that tests of an unmodified libtest binary can cost when each has an instance of its
//! own: a loop in one process that calls them directly, with a store, a WASI context and a pooled
//! instance for each. What `cargo xtask bench` compares `wasmtest run` with.
//!
//! Usage: `direct_loop MODULE [ROUNDS]`; prints how many tests it ran.

mod common;

use anyhow::Context as _;
use std::collections::HashSet;
use wasmtest_host::inside::direct::{self, CHOSEN, GAVE, NOTHING_YET};
use wasmtime::{Linker, Store};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let path = args.next().context("usage: direct_loop MODULE [ROUNDS]")?;
    let rounds: usize = args.next().map_or(Ok(1), |rounds| rounds.parse())?;
    let engine = common::engine()?;
    let (compiled, kept) = (format!("{path}.direct-loop"), format!("{path}.places"));
    let module = common::module(&engine, &compiled, || {
        let original = std::fs::read(&path)?;
        let output = direct::direct(&original, &original)?;
        // the tests are functions of their own; what they share with each other is not
        let mut candidates = output.facts.functions.iter().map(|c| &c.of_tests);
        let places = candidates
            .find(|places| places.iter().collect::<HashSet<_>>().len() == places.len())
            .context("no word tells its tests apart")?;
        std::fs::write(&kept, serde_json::to_vec(places)?)?;
        Ok(output.bytes.into_owned())
    })?;
    let places: Vec<u32> = serde_json::from_slice(&std::fs::read(&kept)?)?;
    let mut linker: Linker<WasiP1Ctx> = Linker::new(&engine);
    p1::add_to_linker_sync(&mut linker, |t| t)?;
    let pre = linker.instantiate_pre(&module)?;
    let mut ran = 0;
    for _ in 0..rounds {
        for place in &places {
            let out = MemoryOutputPipe::new(1 << 20);
            let wasi = WasiCtxBuilder::new()
                .arg("module")
                .stdout(out.clone())
                .stderr(out)
                .build_p1();
            let mut store = Store::new(&engine, wasi);
            store.set_epoch_deadline(1);
            let instance = pre.instantiate(&mut store)?;
            let global = |store: &mut Store<_>, name: &str| {
                let global = instance.get_global(store, name);
                global.with_context(|| format!("it has no global `{name}`"))
            };
            let (chosen, gave) = (global(&mut store, CHOSEN)?, global(&mut store, GAVE)?);
            chosen.set(&mut store, place.cast_signed().into())?;
            let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
            start.call(&mut store, ())?;
            anyhow::ensure!(gave.get(&mut store).i32() != Some(NOTHING_YET));
            ran += 1;
        }
    }
    println!("{ran}");
    Ok(())
}
