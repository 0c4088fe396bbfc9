//! The least that SDK tests can cost: a loop over a file's tests in one process,
//! with a store, a WASI context and a pooled instance for each. What `cargo xtask
//! bench` compares `wasmtest run` with.
//!
//! Usage: `bare_loop MODULE`; prints how many tests it ran.

mod common;

use wasmtime::{Linker, Store};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;

fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).expect("usage: bare_loop MODULE");
    let engine = common::engine()?;
    let compiled = format!("{path}.bare-loop");
    let module = common::module(&engine, &compiled, || Ok(std::fs::read(&path)?))?;
    let mut linker: Linker<WasiP1Ctx> = Linker::new(&engine);
    p1::add_to_linker_sync(&mut linker, |t| t)?;
    let pre = linker.instantiate_pre(&module)?;
    let tests: Vec<String> = module
        .exports()
        .map(|e| e.name().to_owned())
        // what the SDK itself exports is no test
        .filter(|n| n.starts_with("wasmtest:") && !n.starts_with("wasmtest:wasmtest::"))
        .collect();
    for test in &tests {
        let out = MemoryOutputPipe::new(1 << 20);
        let wasi = WasiCtxBuilder::new()
            .stdout(out.clone())
            .stderr(out)
            .build_p1();
        let mut store = Store::new(&engine, wasi);
        store.set_epoch_deadline(1);
        let instance = pre.instantiate(&mut store)?;
        let function = instance.get_typed_func::<(), i32>(&mut store, test)?;
        anyhow::ensure!(function.call(&mut store, ())? == 0, "{test} failed");
    }
    println!("{}", tests.len());
    Ok(())
}
