//! The compiler: a process of its own that turns modules into artefacts.
//!
//! Takes [`CompileJobs`] on its channel, answers with a [`CompileResult`] for
//! each module as it gets done, and ends. It is started only where the cache
//! does not answer. rayon works across the modules and, inside wasmtime,
//! within each. It runs no guest code.

use super::cache::{self, Cache, Compiler};
use super::{ContentHash, strip};
use crate::event::Format;
use crate::protocol::{CompileJob, CompileJobs, CompileResult, Found, read_frame, write_frame};
use crate::sandbox::engine;
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

/// Serves one primary until its jobs are done.
///
/// # Errors
/// If the channel breaks or no engine can be made on this machine.
pub fn serve(mut from: impl Read, to: impl Write + Send) -> anyhow::Result<()> {
    let Some(jobs) = read_frame::<CompileJobs>(&mut from)? else {
        return Ok(());
    };
    let cache = Cache::at(jobs.cache);
    let engine = engine::for_compiling()?;
    let to = Mutex::new(to);
    rayon::scope_fifo(|scope| {
        for job in &jobs.jobs {
            let (cache, engine, to) = (&cache, &engine, &to);
            scope.spawn_fifo(move |_| {
                let result = compile(cache, engine, job);
                let message = CompileResult {
                    module: job.module,
                    result,
                };
                let mut to = to.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                // a primary that is gone needs no answer
                let _ = write_frame(&mut *to, &message);
            });
        }
    });
    cache.prune(cache::MAX_BYTES, cache::MAX_AGE);
    Ok(())
}

/// Compiles one module into the cache, unless another process has done so meanwhile.
///
/// # Errors
/// In words for the user.
pub fn compile(cache: &Cache, engine: &wasmtime::Engine, job: &CompileJob) -> Result<(), String> {
    let name = Cache::artefact_name(job.content, Compiler::Cranelift);
    let _lock = cache.lock(&name).map_err(|e| {
        format!(
            "the cache folder {} cannot be used: {e}",
            cache.dir().display()
        )
    })?;
    if job.found == Found::Nothing && cache.has_artefact(&name) {
        return Ok(());
    }
    let bytes = std::fs::read(&job.file).map_err(|e| format!("it cannot be read: {e}"))?;
    if ContentHash::of(&bytes) != job.content {
        return Err("it changed while the run began; run again".to_owned());
    }
    let (stripped, _) = strip::strip(&bytes);
    let compiled = catch_unwind(AssertUnwindSafe(|| match job.format {
        Format::Core => engine.precompile_module(&stripped),
        Format::Component => engine.precompile_component(&stripped),
    }));
    let artefact = match compiled {
        Ok(Ok(artefact)) => artefact,
        Ok(Err(e)) => return Err(format!("wasmtime refuses it: {}", engine::chain(&e))),
        Err(_) => return Err("wasmtime's compiler panicked on it".to_owned()),
    };
    cache.store_artefact(&name, &artefact).map_err(|e| {
        format!(
            "its compiled form cannot be written to {}: {e}",
            cache.dir().display()
        )
    })
}
