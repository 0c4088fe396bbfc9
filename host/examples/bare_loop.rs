//! The least that SDK tests can cost: a loop over a file's tests in one process,
//! with a store, a WASI context and a pooled instance for each. What `cargo xtask
//! bench` compares `wasmtest run` with.
//!
//! Usage: `bare_loop MODULE`; prints how many tests it ran.

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, Linker, Module, PoolingAllocationConfig,
    Store,
};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;

fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).expect("usage: bare_loop MODULE");
    let mut pool = PoolingAllocationConfig::default();
    pool.total_core_instances(4)
        .total_memories(4)
        .total_tables(4)
        .max_memory_size(1 << 30)
        .table_elements(1 << 20)
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Yes);
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = Engine::new(&config)?;
    // compiled once and mapped from then on, as the runner has it
    let compiled = format!("{path}.bare-loop");
    if !std::fs::exists(&compiled)? {
        std::fs::write(&compiled, engine.precompile_module(&std::fs::read(&path)?)?)?;
    }
    // SAFETY: the file was made by the lines above.
    let module = unsafe { Module::deserialize_file(&engine, &compiled)? };
    let mut linker: Linker<WasiP1Ctx> = Linker::new(&engine);
    p1::add_to_linker_sync(&mut linker, |t| t)?;
    let pre = linker.instantiate_pre(&module)?;
    let tests: Vec<String> = module
        .exports()
        .map(|e| e.name().to_owned())
        .filter(|n| n.starts_with("wasmtest:"))
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
