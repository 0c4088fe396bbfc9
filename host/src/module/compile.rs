//! The compiler: a process of its own that turns modules into artefacts.
//!
//! Takes [`CompileJobs`] on its channel, answers with a [`CompileResult`] for
//! each module as it gets done, and ends. It is started only where the cache
//! does not answer. rayon works across the modules and, inside wasmtime,
//! within each. It runs no guest code.

use super::cache::{self, ArtefactPart, Cache};
use crate::event::{Cause, Format};
use crate::instrument::gaps::{self, Gaps};
use crate::instrument::strip::strip;
use crate::instrument::{PassFacts, PassOutput, rewrite};
use crate::protocol::{
    ArtefactForm, CompileJob, CompileJobs, CompileResult, Compiled, Compiler, ContentHash, Rebuild,
    StateJob, StdGaps, read_frame, write_frame,
};
use crate::sandbox::engine;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;

/// What compiles what has no code.
const OF_STATES: Compiler = Compiler::BEST_FIRST[0];

/// Serves one primary until its jobs are done. `on_alone` is called, from another thread, once
/// that is gone or wants no more, and has to end what goes on here.
///
/// # Errors
/// If the channel breaks, no engine can be made on this machine or it has no thread left.
pub fn serve(
    mut from: impl Read + Send + 'static,
    to: impl Write + Send,
    on_alone: impl FnOnce() + Send + 'static,
) -> anyhow::Result<()> {
    let Some(jobs) = read_frame::<CompileJobs>(&mut from)? else {
        return Ok(());
    };
    thread::Builder::new().spawn(move || {
        // nothing more is sent to a compiler: what comes is the end
        let _ = from.read(&mut [0]);
        on_alone();
    })?;
    let cache = Cache::at(jobs.cache);
    let mut engines = HashMap::new();
    let wanted = jobs.jobs.iter().map(|job| job.form.compiler);
    for compiler in wanted.chain(jobs.states.first().map(|_| OF_STATES)) {
        if let Entry::Vacant(place) = engines.entry(compiler) {
            place.insert(engine::for_compiling(compiler)?);
        }
    }
    let to = Mutex::new(to);
    let answer = |of, result| {
        let mut to = to.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // a primary that is gone needs no answer
        let _ = write_frame(&mut *to, &CompileResult { of, result });
    };
    let (cache, engines, answer) = (&cache, &engines, &answer);
    rayon::scope_fifo(|scope| {
        for job in &jobs.jobs {
            scope.spawn_fifo(move |_| {
                let engine = &engines[&job.form.compiler];
                answer(Compiled::Module(job.module), compile(cache, engine, job));
            });
        }
        for job in &jobs.states {
            scope.spawn_fifo(move |_| {
                let result = compile_state(cache, &engines[&OF_STATES], job);
                answer(Compiled::State(job.number), result);
            });
        }
    });
    cache.prune(cache::MAX_BYTES, cache::MAX_AGE);
    Ok(())
}

/// Compiles one module into the cache, unless another process has done so meanwhile.
fn compile(cache: &Cache, engine: &wasmtime::Engine, job: &CompileJob) -> Result<(), Cause> {
    let name = |part| Cache::artefact_name(job.content, job.form, part);
    let std_gaps = job.form.passes.std_gaps;
    let unusable = |e| {
        Cause::new(format!(
            "the cache folder {} cannot be used: {e}",
            cache.dir().display()
        ))
    };
    let _lock = cache.lock(&name(ArtefactPart::Plain)).map_err(unusable)?;
    if job.rebuild == Rebuild::IfAbsent && job.form.is_there(cache, job.content) {
        return Ok(());
    }
    let bytes = std::fs::read(&job.file).map_err(|e| format!("it cannot be read: {e}"))?;
    if ContentHash::of(&bytes) != job.content {
        return Err(Cause::new("it changed while the run began; run again"));
    }
    let store = |part, artefact: &[u8]| -> Result<(), Cause> {
        cache.store_artefact(&name(part), artefact).map_err(|e| {
            Cause::new(format!(
                "its compiled form cannot be written to {}: {e}",
                cache.dir().display()
            ))
        })
    };
    let store_made = |part, (artefact, facts): (Vec<u8>, PassFacts)| {
        let kept = cache.store_pass_facts(&name(part), &facts);
        kept.map_err(unusable)?;
        store(part, &artefact)
    };
    let as_it_is = || -> Result<(), Cause> {
        store_made(
            ArtefactPart::Plain,
            plain(engine, &bytes, job.format, std_gaps)?,
        )
    };
    if job.form.passes.form == ArtefactForm::Plain {
        return as_it_is();
    }
    let facts = match rewrite(&bytes) {
        Ok(rewritten) => {
            let stripped = rewritten.then(strip);
            store_made(
                ArtefactPart::Rewritten,
                filled(engine, &bytes, &stripped, Format::Core, std_gaps)?,
            )?;
            store(
                ArtefactPart::InitialMemory,
                &precompile(engine, &rewritten.facts.initial_memory, Format::Core)?,
            )?;
            Ok(rewritten.facts.facts)
        }
        // it runs as it is
        Err(why) => {
            as_it_is()?;
            Err(why.to_string())
        }
    };
    let kept = cache.store_rewrite_facts(job.content, &facts);
    kept.map_err(unusable)
}

/// Compiles a module without debug information, its memory its own.
///
/// # Errors
/// If wasmtime refuses it.
pub fn plain(
    engine: &wasmtime::Engine,
    bytes: &[u8],
    format: Format,
    std_gaps: StdGaps,
) -> Result<(Vec<u8>, PassFacts), Cause> {
    Ok(filled(engine, bytes, &strip(bytes), format, std_gaps)?)
}

/// What the passes tell of a module whose memory is its own, without compiling it.
pub fn plain_facts(bytes: &[u8], std_gaps: StdGaps) -> PassFacts {
    let stripped = strip(bytes);
    match std_gaps {
        StdGaps::Left => left(&stripped, gaps::NOT_WANTED),
        StdGaps::Filled => {
            let filled = stripped.then(|module| gaps::fill(bytes, module));
            PassFacts {
                offsets: filled.offsets,
                gaps: filled.facts,
            }
        }
    }
}

fn left(stripped: &PassOutput<'_>, why: &str) -> PassFacts {
    PassFacts {
        offsets: stripped.offsets.clone(),
        gaps: Gaps::left(why),
    }
}

/// Compiles what was made of a module, with what std lacks if that is wanted and can be.
fn filled(
    engine: &wasmtime::Engine,
    original: &[u8],
    stripped: &PassOutput<'_>,
    format: Format,
    std_gaps: StdGaps,
) -> Result<(Vec<u8>, PassFacts), String> {
    let as_it_is = |facts| Ok((precompile(engine, &stripped.bytes, format)?, facts));
    if std_gaps == StdGaps::Left {
        return as_it_is(left(stripped, gaps::NOT_WANTED));
    }
    let filled = stripped.then(|module| gaps::fill(original, module));
    let facts = PassFacts {
        offsets: filled.offsets,
        gaps: filled.facts,
    };
    if !facts.gaps.is_filled() {
        return as_it_is(facts);
    }
    match precompile(engine, &filled.bytes, format) {
        Ok(artefact) => Ok((artefact, facts)),
        // most likely it is not valid without that either
        Err(why) => {
            let why = format!("what it becomes cannot be compiled: {why}");
            as_it_is(left(stripped, &why))
        }
    }
}

fn precompile(engine: &wasmtime::Engine, bytes: &[u8], format: Format) -> Result<Vec<u8>, String> {
    let compiled = catch_unwind(AssertUnwindSafe(|| match format {
        Format::Core => engine.precompile_module(bytes),
        Format::Component => engine.precompile_component(bytes),
    }));
    match compiled {
        Ok(Ok(artefact)) => Ok(artefact),
        Ok(Err(e)) => Err(format!("wasmtime refuses it: {}", engine::chain(&e))),
        Err(_) => Err("wasmtime's compiler panicked on it".to_owned()),
    }
}

/// Compiles a state, which has no code, for the workers to map.
fn compile_state(cache: &Cache, engine: &wasmtime::Engine, job: &StateJob) -> Result<(), Cause> {
    let bytes = cache
        .take_state(&job.state)
        .map_err(|e| format!("it cannot be read: {e}"))?;
    let artefact = precompile(engine, &bytes, Format::Core)?;
    cache
        .store_artefact(&job.artefact, &artefact)
        .map_err(|e| Cause::new(format!("it cannot be written: {e}")))
}
