//! What the loops have in common: an engine with a pool of slots, and forms that are compiled once.

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, Module, PoolingAllocationConfig,
};

/// An engine as bare as it can be with what the runner rests on: a pool and epochs.
pub fn engine() -> anyhow::Result<Engine> {
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
    Ok(Engine::new(&config)?)
}

/// Compiles a module once and maps it from then on, as the runner does.
pub fn module(
    engine: &Engine,
    compiled: &str,
    bytes: impl FnOnce() -> anyhow::Result<Vec<u8>>,
) -> anyhow::Result<Module> {
    if !std::fs::exists(compiled)? {
        std::fs::write(compiled, engine.precompile_module(&bytes()?)?)?;
    }
    // SAFETY: the file was made by the lines above.
    Ok(unsafe { Module::deserialize_file(engine, compiled)? })
}
