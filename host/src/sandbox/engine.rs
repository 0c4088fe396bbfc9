//! Engine settings: one set for whoever compiles and whoever runs.
//!
//! A compiled form fits only the settings that it was made with, so they are
//! all here, together with the fingerprint that names them in the cache.

use super::reach;
use crate::protocol::{Compiler, DEFAULT_WASM_STACK};
use std::num::NonZeroUsize;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy,
};

/// To be raised with any change here that changes what is compiled.
const SETTINGS: u32 = 4;

/// A memory's beginning that is mostly zeros is made into an image, which instances map, up to
/// this size in bytes: a module of some bytes can ask for any. Larger ones are written into each
/// instance, and so are no states: those are smaller, or lie in a file.
pub const LARGEST_SPARSE_IMAGE: u64 = 16 << 20;

/// Host stack beyond the guest's, for the host functions that it calls.
pub const HOST_STACK: usize = 4 << 20;

/// Names everything that a compiled form depends on beside its source.
pub fn fingerprint() -> String {
    format!(
        "wasmtime {} settings {SETTINGS} {} {}",
        wasmtime_environ::VERSION,
        std::env::consts::ARCH,
        std::env::consts::OS,
    )
}

/// On how many threads something is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// On that which asks for it.
    One,
    /// On so many of rayon's.
    Several(usize),
}

impl Threads {
    /// So many.
    pub fn of(number: usize) -> Threads {
        match number {
            0 | 1 => Threads::One,
            n => Threads::Several(n),
        }
    }
}

/// An engine that compiles with this and runs nothing.
///
/// # Errors
/// If wasmtime cannot work on this machine.
pub fn for_compiling(compiler: Compiler, threads: Threads) -> anyhow::Result<Engine> {
    let mut config = config(compiler, DEFAULT_WASM_STACK);
    config.parallel_compilation(threads != Threads::One);
    new(&config)
}

/// An engine that runs what this compiler made, with a pool of instance slots.
///
/// # Errors
/// If wasmtime cannot work on this machine.
pub fn for_running(compiler: Compiler, wasm_stack: usize) -> anyhow::Result<Engine> {
    let with = |memories, scan| {
        let mut config = config(compiler, wasm_stack);
        let mut pool = pool(memories);
        pool.pagemap_scan(scan);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        new(&config)
    };
    // Linux before 6.7 has no PAGEMAP_SCAN: `Auto` would be silent about why
    with(MEMORIES, Enabled::Yes)
        .or_else(|_| with(MEMORIES, Enabled::No))
        // where address space is limited there is room for a small pool, as under valgrind, or
        // for none
        .or_else(|_| with(FEW_MEMORIES, Enabled::No))
        .or_else(|_| without_pool(compiler, wasm_stack))
}

/// An engine that runs what this compiler made and no slot of the pool has room for.
///
/// # Errors
/// If wasmtime cannot work on this machine.
pub fn without_pool(compiler: Compiler, wasm_stack: usize) -> anyhow::Result<Engine> {
    new(&config(compiler, wasm_stack))
}

/// One engine of each compiler, with a pool and without.
#[cfg(test)]
pub(super) fn of_each_kind() -> Vec<Engine> {
    let kinds = Compiler::BEST_FIRST.into_iter();
    let both = kinds.map(|c| [for_running(c, 1 << 19), without_pool(c, 1 << 19)]);
    both.flatten().map(|e| e.expect("wasmtime works")).collect()
}

fn new(config: &Config) -> anyhow::Result<Engine> {
    Engine::new(config).map_err(|e| anyhow::anyhow!("wasmtime cannot start here: {}", chain(&e)))
}

fn config(compiler: Compiler, wasm_stack: usize) -> Config {
    let mut config = Config::new();
    config
        .strategy(match compiler {
            Compiler::Cranelift => Strategy::Cranelift,
            Compiler::Winch => Strategy::Winch,
        })
        // guests that can be reached in their code check nothing
        .epoch_interruption(!reach::AVAILABLE)
        .memory_init_cow(true)
        // offsets are symbolised here, once a module: wasmtime would build the
        // symbols anew for every frame (16 ms a trap, measured)
        .generate_address_map(true)
        .wasm_backtrace_max_frames(NonZeroUsize::new(1 << 17))
        .native_unwind_info(false)
        .max_wasm_stack(wasm_stack)
        .async_stack_size(wasm_stack + HOST_STACK)
        // finished proposals that wasmtime does not count among WebAssembly 3.0
        .wasm_wide_arithmetic(true)
        .wasm_custom_page_sizes(true)
        // a module may define (not import) a shared memory: plain atomics need it
        .shared_memory(true)
        // one that is at least half full is made whatever its size
        .memory_guaranteed_dense_image_size(LARGEST_SPARSE_IMAGE);
    config
}

/// How many memories a pool has, each of which takes 4 GiB of address space.
const MEMORIES: u32 = 16;
const FEW_MEMORIES: u32 = 4;

/// Slots for one guest at a time, of whatever shape: a component is many core
/// instances. Limits are generous, since they cost address space only.
fn pool(memories: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(4)
        .total_core_instances(200)
        .max_core_instances_per_component(100)
        .max_component_instance_size(64 << 20)
        .max_core_instance_size(64 << 20)
        .total_memories(memories)
        .max_memories_per_module(memories / 2)
        .max_memories_per_component(memories / 2)
        .max_memory_size(4 << 30)
        .total_tables(4 * memories)
        .max_tables_per_module(2 * memories)
        .max_tables_per_component(2 * memories)
        .table_elements(10_000_000)
        .total_stacks(4)
        .total_gc_heaps(4)
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(64 << 10);
    pool
}

/// An error of wasmtime's and its causes, as one line without repetitions.
pub fn chain(error: &wasmtime::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    text
}
