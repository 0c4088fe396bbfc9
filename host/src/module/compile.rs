//! The compiler: a process of its own that turns one module into an artefact.
//!
//! Takes a [`CompileJob`] on its channel, writes what it makes into the folder that the job
//! names, answers with a [`CompileResult`] and ends. It is started only where the cache does
//! not answer. What it may cost it limits itself, before it reads a byte of the module: of a
//! module that costs more it dies alone. It runs no guest code.

use super::cache::{ArtefactPart, Cache, LARGEST_ARTEFACT, Parts};
use super::read;
use crate::event::{Cause, Format};
use crate::instrument::direct::{self, Prepared};
use crate::instrument::gaps::{self, Gaps};
use crate::instrument::strip::strip;
use crate::instrument::{PassFacts, PassOutput, rewrite};
use crate::protocol::{
    ArtefactForm, CompileJob, CompileLimits, CompileResult, CompileSource, ContentHash,
    DirectCalls, ModuleJob, Passes, Place, StateJob, StdGaps, read_frame, write_frame,
};
use crate::resources::{Resource, limit_for_good};
use crate::sandbox::engine::{self, Threads};
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

/// How much less of the processors a compiler asks for that nobody waits for: as long as others
/// want them it has about a third of what one of those has, and all that they leave.
const NICE: i32 = 5;

/// Serves one primary until its job is done.
///
/// # Errors
/// If the channel breaks, or the machine has no thread left.
pub fn serve(
    mut from: impl Read + Send + 'static,
    mut to: impl Write,
    place: Place,
) -> anyhow::Result<()> {
    let Some(job) = read_frame::<CompileJob>(&mut from)? else {
        return Ok(());
    };
    let of = job.source.of();
    let threads = Threads::of(job.threads);
    if job.in_background {
        // before its threads are there, which begin as this one is
        give_way();
    }
    let limited = match place {
        Place::OwnProcess => {
            thread::Builder::new().spawn(move || {
                // nothing more is sent to a compiler: what comes is the end, and in the middle of
                // a module there is nothing to be left in order
                let _ = from.read(&mut [0]);
                std::process::exit(1);
            })?;
            limit(job.limits).and_then(|()| start(threads))
        }
        Place::Thread => Ok(()),
    };
    let parts = Parts::at(job.parts);
    let result = limited.and_then(|()| match &job.source {
        CompileSource::Module(module) => compile(&parts, threads, module),
        CompileSource::State(state) => compile_state(&parts, threads, state),
    });
    let result = result.map_err(|cause| match is_without_memory(&cause) {
        true => job.limits.too_large(),
        false => cause,
    });
    write_frame(&mut to, &CompileResult { of, result })?;
    Ok(())
}

/// Has this thread give way to others, which is no promise: where it cannot be, it competes.
fn give_way() {
    // SAFETY: it has no preconditions; on Linux it is this thread alone that is meant.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
}

/// Whether this is what is said where the system gives no more memory.
fn is_without_memory(cause: &Cause) -> bool {
    let enomem = format!("(os error {})", libc::ENOMEM);
    cause.message.contains(&enomem) || cause.message.contains("out of memory")
}

/// Limits this process to what a module may cost.
fn limit(limits: CompileLimits) -> Result<(), Cause> {
    let bytes = limits.memory;
    // a signal says that it was the time; one that cannot be survived comes after it
    let times = limits.seconds..=limits.seconds.saturating_add(1);
    limit_for_good(Resource::Cpu, *times.start(), *times.end())
        .and_then(|()| limit_for_good(Resource::Data, bytes, bytes))
        .and_then(|()| limit_for_good(Resource::Fsize, LARGEST_ARTEFACT, LARGEST_ARTEFACT))
        // whoever passes one has nothing to look at
        .and_then(|()| limit_for_good(Resource::Core, 0, 0))
        .map_err(|e| Cause::new(format!("the compiler cannot limit itself: {e}")))
}

/// Makes as many threads as there are to be, where there is to be more than one.
fn start(threads: Threads) -> Result<(), Cause> {
    let Threads::Several(threads) = threads else {
        return Ok(());
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    let made = pool.build_global();
    made.map_err(|e| Cause::new(format!("the compiler cannot start its threads: {e}")))
}

/// Compiles one module.
fn compile(parts: &Parts, threads: Threads, job: &ModuleJob) -> Result<(), Cause> {
    let engine = &engine::for_compiling(job.form.compiler, threads)
        .map_err(|e| Cause::new(e.to_string()))?;
    let passes = job.form.passes;
    let bytes = read::whole(&job.file)?;
    if ContentHash::of(&bytes) != job.content {
        return Err(Cause::new("it changed while the run began; run again"));
    }
    let store = |part, artefact: &[u8]| -> Result<(), Cause> {
        parts.write_artefact(part, artefact).map_err(unwritten)
    };
    let store_made = |part, (artefact, facts): (Vec<u8>, PassFacts)| {
        parts.write_pass_facts(part, &facts).map_err(unwritten)?;
        store(part, &artefact)
    };
    let as_it_is = || -> Result<(), Cause> {
        store_made(
            ArtefactPart::Plain,
            plain(engine, &bytes, job.format, passes)?,
        )
    };
    if passes.form == ArtefactForm::Plain {
        return as_it_is();
    }
    let facts = match rewrite(&bytes) {
        Ok(rewritten) => {
            let stripped = rewritten.then(strip);
            store_made(
                ArtefactPart::Rewritten,
                compiled(engine, &bytes, &stripped, Format::Core, passes)?,
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
    parts.write_rewrite_facts(&facts).map_err(unwritten)
}

fn unwritten(error: io::Error) -> Cause {
    if error.kind() == io::ErrorKind::FileTooLarge {
        return too_large_to_keep();
    }
    Cause::new(format!("its compiled form cannot be written: {error}"))
        .hint("--cache-dir names another place; `wasmtest cache clear` makes room")
}

/// What is said of a module whose compiled form is larger than any may be.
pub fn too_large_to_keep() -> Cause {
    Cause::new(format!(
        "its compiled form is larger than {} MiB, which is as much as is kept of a module",
        LARGEST_ARTEFACT >> 20
    ))
}

/// Compiles a module without debug information, its memory its own.
///
/// # Errors
/// If wasmtime refuses it.
pub fn plain(
    engine: &wasmtime::Engine,
    bytes: &[u8],
    format: Format,
    passes: Passes,
) -> Result<(Vec<u8>, PassFacts), Cause> {
    Ok(compiled(engine, bytes, &strip(bytes), format, passes)?)
}

/// What the passes tell of a module whose memory is its own and whose tests are called plainly,
/// without compiling it.
pub fn plain_facts(bytes: &[u8], std_gaps: StdGaps) -> PassFacts {
    let stripped = strip(bytes);
    filled(bytes, &stripped, std_gaps).map_or_else(
        || left(&stripped, gaps::NOT_WANTED),
        |filled| PassFacts {
            offsets: filled.offsets,
            gaps: filled.facts,
            direct: Prepared::Unwanted,
        },
    )
}

fn left(stripped: &PassOutput<'_>, why: &str) -> PassFacts {
    PassFacts {
        offsets: stripped.offsets.clone(),
        gaps: Gaps::left(why),
        direct: Prepared::Unwanted,
    }
}

/// A module with what std lacks, if that is wanted.
fn filled<'b>(
    original: &[u8],
    stripped: &'b PassOutput<'_>,
    std_gaps: StdGaps,
) -> Option<PassOutput<'b, Gaps>> {
    let wanted = std_gaps == StdGaps::Filled;
    wanted.then(|| stripped.then(|module| gaps::fill(original, module)))
}

/// Compiles what was made of a module, with what else is wanted and can be.
fn compiled(
    engine: &wasmtime::Engine,
    original: &[u8],
    stripped: &PassOutput<'_>,
    format: Format,
    passes: Passes,
) -> Result<(Vec<u8>, PassFacts), String> {
    let filled = filled(original, stripped, passes.std_gaps);
    let (bytes, mut facts) = match &filled {
        None => (&stripped.bytes, left(stripped, gaps::NOT_WANTED)),
        Some(filled) => {
            let facts = PassFacts {
                offsets: filled.offsets.clone(),
                gaps: filled.facts.clone(),
                direct: Prepared::Unwanted,
            };
            (&filled.bytes, facts)
        }
    };
    if passes.direct == DirectCalls::Prepared {
        let made = direct::direct(original, bytes).map_err(|why| why.to_string());
        let made = made.and_then(|made| {
            let artefact = precompile(engine, &made.bytes, format);
            let artefact = artefact.map_err(|why| not_compiled(&why));
            artefact.map(|artefact| (artefact, made))
        });
        match made {
            Ok((artefact, made)) => {
                facts.offsets = facts.offsets.then(&made.offsets);
                facts.direct = Prepared::Yes {
                    main: made.facts.main(),
                };
                return Ok((artefact, facts));
            }
            Err(why) => facts.direct = Prepared::No(why),
        }
    }
    match precompile(engine, bytes, format) {
        Ok(artefact) => Ok((artefact, facts)),
        // most likely it is not valid without that either
        Err(why) if facts.gaps.is_filled() => {
            let facts = PassFacts {
                direct: facts.direct,
                ..left(stripped, &not_compiled(&why))
            };
            Ok((precompile(engine, &stripped.bytes, format)?, facts))
        }
        Err(why) => Err(why),
    }
}

fn not_compiled(why: &str) -> String {
    format!("what it becomes cannot be compiled: {why}")
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
fn compile_state(parts: &Parts, threads: Threads, job: &StateJob) -> Result<(), Cause> {
    let engine =
        &engine::for_compiling(job.compiler, threads).map_err(|e| Cause::new(e.to_string()))?;
    // a worker wrote it, and it is read as everything of the cache is
    let (dir, name) = (job.state.parent(), job.state.file_name());
    let (Some(dir), Some(name)) = (dir, name.and_then(|name| name.to_str())) else {
        return Err(Cause::new("its file has no name"));
    };
    let read = Cache::at(dir.to_owned()).read_state(name);
    let bytes = read.map_err(|e| read::unreadable(&e))?;
    let artefact = precompile(engine, &bytes, Format::Core)?;
    parts.write_state(&artefact).map_err(unwritten)
}
