//! `wasmtest exec`: one WASI program, run as a plain runtime does, in this process.
//!
//! Takes an [`Exec`], gives the exit code that the process is to end with: the
//! program's own, or one that tells what happened to it. The program has this
//! process's standard streams, and of the host what it is granted. Nothing is
//! said unless the program cannot be run, traps or is stopped.

mod output;
mod signals;

use crate::grant::Tmp;
use crate::settings::{Chosen, Exec};

use crate::event::denials::Denials;
use crate::event::{Captured, Cause, Format, Outcome};
use crate::exit;
use crate::grant::{DirGrant, ModuleGrants, SCRATCH, protected};
use crate::harness::evidence::Evidence;
use crate::harness::scan::Scan;
use crate::harness::termination::{Termination, Trap};
use crate::harness::{command, hints, limit};
use crate::instrument::direct::Prepared;
use crate::instrument::gaps::Gaps;
use crate::instrument::{OffsetMap, PassFacts};
use crate::module::cache::{self, ArtefactPart, Cache, CacheError};
use crate::module::{compile, identify, read};
use crate::protocol::{CompileLimits, Compiler, ContentHash, Form, ModuleNumber, ModuleSpec};
use crate::sandbox::call::SingleRun;
use crate::sandbox::capture::Stream;
use crate::sandbox::engine::HOST_STACK;
use crate::sandbox::program::{LoadProblem, Program};
use crate::sandbox::scratch;
use crate::sandbox::single::{Artefact, ProgramEnd, Single};
use crate::sandbox::symbols::Symbols;
use crate::temporary::{Purpose, TempFolder};
use anyhow::Context as _;
use signals::{AtEnd, Held};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// A file's beginning, which tells a module from a component.
const HEADER: usize = 8;

/// What is said of a program that asked for a temporary folder and was given none.
const NO_TMPDIR: &str = "std::env::temp_dir() is what TMPDIR says, and that is not set: --tmp gives the program an empty folder, and sets it";
/// What is said of a program that has panicked, beside what it says itself.
pub const PANICKED: &str = "it panicked";

/// What is said of a program that looked for folders, found none and died.
const NO_FOLDER: &str = "it looked for folders, and none is granted: --dir FOLDER lets it read one, --dir FOLDER:rw write too, --tmp gives it one of its own at /tmp";

/// A program that is blocked in the host at its limit is ended this much later.
const GRACE: Duration = Duration::from_secs(1);

/// Why a program was not run.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}", file.display())]
pub struct NotRun {
    file: PathBuf,
    what: String,
    code: u8,
}

impl NotRun {
    /// The exit code that says so.
    pub fn code(&self) -> u8 {
        self.code
    }

    fn new(exec: &Exec, cause: &Cause) -> NotRun {
        let hint = cause.hint.as_ref();
        NotRun {
            file: exec.file.clone(),
            what: match hint {
                Some(hint) => format!("{}\n  hint: {hint}", cause.message),
                None => cause.message.clone(),
            },
            code: exit::CANNOT_RUN,
        }
    }

    fn unreadable(exec: &Exec, error: &io::Error) -> NotRun {
        NotRun {
            code: match error.kind() {
                io::ErrorKind::NotFound => exit::NOT_THERE,
                _ => exit::CANNOT_RUN,
            },
            ..NotRun::new(exec, &Cause::new(format!("it cannot be read: {error}")))
        }
    }
}

/// What came of a program.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// The exit code that the process is to end with.
    pub code: i32,
    /// How the program came to its end.
    pub ending: Termination,
}

/// Runs a program to its end; gives the exit code. The caller ends the process
/// with it at once: threads of the program's host may still be there.
///
/// # Errors
/// A [`NotRun`] if it was not run.
pub fn run(exec: &Exec) -> anyhow::Result<Ended> {
    let at_end: Arc<AtEnd> = Arc::default();
    Held::back().clean_up(at_end.clone());
    // the main thread's stack is the user's to limit, and may be smaller than the guest's
    let with_room = thread::Builder::new().stack_size(exec.wasm_stack + HOST_STACK);
    thread::scope(|scope| {
        let runs = with_room
            .spawn_scoped(scope, || run_here(exec, &at_end))
            .context("no thread can be started")?;
        runs.join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn run_here(exec: &Exec, at_end: &AtEnd) -> anyhow::Result<Ended> {
    let cache = match Cache::find(&exec.cache_root.dir) {
        Ok(cache) => Some(cache),
        // without one it is compiled every time
        Err(CacheError::Io { .. }) => None,
        Err(_) if exec.cache_root.chosen == Chosen::Usual => None,
        Err(e @ CacheError::NotPrivate { .. }) => {
            return Err(NotRun::new(exec, &Cause::new(e.to_string())).into());
        }
    };
    if let Some(cache) = &cache {
        protected::refuse_writable_cache(&exec.dirs, cache.dir())?;
    }
    let mut source =
        Source::open(&exec.file, cache.as_ref()).map_err(|e| NotRun::unreadable(exec, &e))?;
    let mut single = Single::new(exec.wasm_stack, exec.unknown_imports)?;
    let program = load(exec, &single, cache.as_ref(), &mut source)?;

    // where none can be made the program has no /tmp
    let scratch = match exec.tmp {
        Tmp::Absent => None,
        Tmp::Own => {
            let granted: Vec<&DirGrant> = exec.dirs.iter().collect();
            let place = scratch::place(&granted, &exec.host.temp_dir).0;
            TempFolder::new(Purpose::Exec, &place).ok()
        }
    };
    let mut env = exec.env.clone();
    if scratch.is_some() && !env.iter().any(|(name, _)| name == "TMPDIR") {
        env.push(("TMPDIR".to_owned(), SCRATCH.to_owned()));
    }
    let scratch_path = match &scratch {
        Some(scratch) => Some(scratch.empty().context("the folder that is its /tmp")?),
        None => None,
    };
    let scratch_path = scratch_path.as_deref();
    let folder = scratch.as_ref().map(TempFolder::path);
    at_end.finds(folder, single.guard());
    let kept = exec.output.streams();
    if let Some(limit) = exec.timeout {
        let scratch = folder.map(ToOwned::to_owned);
        end_if_blocked(exec, limit, scratch, kept.clone());
    }
    let given = SingleRun {
        args: &exec.args,
        env: &env,
        dirs: &exec.dirs,
        scratch: scratch_path,
        limit: exec.timeout,
        kept: kept.as_ref(),
        home_dir: exec.host.home_dir.as_deref(),
        limits: exec.limits,
    };
    let ran = single.run(&program, &given)?;
    at_end.let_it_end();
    exec.output.pass_on(kept.as_ref());
    // unmapping a program's code takes longer than ending the process
    std::mem::forget((single, program));
    drop(scratch);
    let code = code(exec, cache.as_ref(), &mut source, &ran);
    for denied in ran.denied.told().filter(|_| code != 0) {
        exec.output.tell_among(&denied.to_string());
    }
    let ending = ran.ending;
    if matches!(
        ending,
        Termination::DeadlinePassed
            | Termination::Limit(_)
            | Termination::Interrupted
            | Termination::Refused(_)
    ) {
        exec.output.tell_stop();
    }
    Ok(Ended { code, ending })
}

/// A program's file, of which no more is read than has to be.
struct Source {
    file: File,
    content: ContentHash,
    format: Format,
    bytes: Option<Vec<u8>>,
}

impl Source {
    fn open(path: &Path, cache: Option<&Cache>) -> io::Result<Source> {
        let mut file = File::open(path)?;
        let meta = file.metadata()?;
        let cache = cache.filter(|_| meta.is_file());
        let mut header = [0; HEADER];
        if let Some(content) = cache.and_then(|c| c.known_content(&meta))
            && file.read_exact(&mut header).is_ok()
        {
            return Ok(Source {
                file,
                content,
                format: format_of(&header),
                bytes: None,
            });
        }
        if meta.is_file() {
            file.rewind()?;
        }
        let bytes = read::all_of(&file)?;
        let content = ContentHash::of(&bytes);
        if let Some(cache) = cache {
            // where it cannot be kept it is read again next time
            let _ = cache.store_content(&meta, content);
        }
        Ok(Source {
            file,
            content,
            format: format_of(&bytes),
            bytes: Some(bytes),
        })
    }

    /// All of the file, which is what was known of it.
    fn bytes(&mut self) -> io::Result<&[u8]> {
        if self.bytes.is_none() {
            self.file.rewind()?;
            let bytes = read::all_of(&self.file)?;
            self.content = ContentHash::of(&bytes);
            self.format = format_of(&bytes);
            self.bytes = Some(bytes);
        }
        Ok(self.bytes.as_deref().expect("it was just read"))
    }
}

/// What the header says, which only [`identify`] makes sure of.
fn format_of(bytes: &[u8]) -> Format {
    match bytes.get(..HEADER) {
        Some(b"\0asm\x0d\0\x01\0") => Format::Component,
        _ => Format::Core,
    }
}

/// The program, from the cache or compiled now.
fn load(
    exec: &Exec,
    single: &Single,
    cache: Option<&Cache>,
    source: &mut Source,
) -> anyhow::Result<Program> {
    let refused = |cause: &Cause| NotRun::new(exec, cause);
    let kept = |source: &Source| -> Option<Result<Program, NotRun>> {
        let name = artefact_name(exec, source);
        let cache = cache.filter(|c| c.has_artefact(&name))?;
        // without that it would not be known what it is
        let facts = cache.pass_facts(&name)?;
        let file = cache.open_artefact(&name).ok()?;
        match single.load(Artefact::File(file), source.format) {
            Ok(program) => Some(Ok(program.filled_in(&facts.gaps))),
            Err(LoadProblem::Module(cause)) => Some(Err(refused(&cause))),
            // it is made again
            Err(LoadProblem::Artefact(_)) => None,
        }
    };
    if let Some(found) = kept(source) {
        return Ok(found?);
    }
    let bytes = source.bytes().map_err(|e| NotRun::unreadable(exec, &e))?;
    identify::identify(bytes).map_err(|cause| refused(&cause))?;
    // many may be started at once: one compiles, the others wait for it
    let name = artefact_name(exec, source);
    let patience = CompileLimits::DEFAULT.lock_patience();
    let lock = cache.and_then(|c| c.lock_within(&name, patience, || true));
    if lock.is_some()
        && let Some(found) = kept(source)
    {
        return Ok(found?);
    }
    let format = source.format;
    let bytes = source.bytes().map_err(|e| NotRun::unreadable(exec, &e))?;
    let (artefact, facts) = compile::plain(single.engine(), bytes, format, form(exec).passes)
        .map_err(|why| refused(&why))?;
    if let Some(cache) = cache {
        // where it cannot be kept it is compiled again next time
        let kept = cache.store_pass_facts(&name, &facts);
        let _ = kept.and_then(|()| cache.store_artefact(&name, &artefact));
        cache.prune(cache::MAX_BYTES, cache::MAX_AGE);
    }
    let loaded = single.load(Artefact::Compiled(&artefact), format);
    let loaded = loaded.map(|program| program.filled_in(&facts.gaps));
    Ok(loaded.map_err(|problem| match problem {
        LoadProblem::Module(cause) => refused(&cause),
        LoadProblem::Artefact(why) => refused(&Cause::new(why)),
    })?)
}

/// A program is started, whatever tests it has.
fn form(exec: &Exec) -> Form {
    Form::plain(exec.std_gaps)
}

fn artefact_name(exec: &Exec, source: &Source) -> String {
    Cache::artefact_name(source.content, form(exec), ArtefactPart::Plain)
}

/// What the passes told of the program: as it was kept, or found out again.
fn pass_facts(exec: &Exec, cache: Option<&Cache>, source: &mut Source) -> PassFacts {
    let kept = cache.and_then(|cache| cache.pass_facts(&artefact_name(exec, source)));
    kept.unwrap_or_else(|| match source.bytes() {
        Ok(bytes) => compile::plain_facts(bytes, exec.std_gaps),
        Err(e) => PassFacts {
            offsets: OffsetMap::default(),
            gaps: Gaps::left(&format!("the file cannot be read any more: {e}")),
            direct: Prepared::Unwanted,
        },
    })
}

/// Ends the process if the program is blocked in the host when its limit has passed.
fn end_if_blocked(
    exec: &Exec,
    limit: Duration,
    scratch: Option<PathBuf>,
    kept: Option<(Stream, Stream)>,
) {
    let file = exec.file.display().to_string();
    let output = exec.output.clone();
    let limit_of = exec.limit_of;
    thread::spawn(move || {
        thread::sleep(limit.saturating_add(GRACE));
        if let Some(scratch) = scratch {
            signals::remove_folder(&scratch);
        }
        output.pass_on(kept.as_ref());
        output.tell(&file, &limit::passed(limit, limit_of));
        output.tell_stop();
        std::process::exit(i32::from(exit::TIMED_OUT));
    });
}

/// The exit code, and on stderr what a program cannot say itself.
fn code(exec: &Exec, cache: Option<&Cache>, source: &mut Source, ran: &ProgramEnd) -> i32 {
    let code = match &ran.ending {
        Termination::Returned => return 0,
        Termination::ReturnedFailure => return 1,
        Termination::Exited(status) => return *status,
        Termination::DeadlinePassed => exit::TIMED_OUT,
        Termination::Trapped(_) | Termination::Limit(_) | Termination::Skipped(_) => exit::TRAPPED,
        Termination::Interrupted | Termination::Refused(_) => exit::CANNOT_RUN,
    };
    let PassFacts {
        offsets,
        gaps,
        direct,
    } = pass_facts(exec, cache, source);
    let spec = ModuleSpec {
        offsets,
        gaps,
        direct,
        number: ModuleNumber(0),
        name: exec.file.display().to_string(),
        file: exec.file.clone(),
        content: source.content,
        format: source.format,
        harness: command::NAME,
        grants: ModuleGrants::default(),
        unknown_imports: exec.unknown_imports,
        artefact: String::new(),
        compiler: Compiler::BEST,
        replay: None,
    };
    let mut symbols = Symbols::new(&spec, exec.host.current_dir.as_deref());
    let mut backtrace = symbols.backtrace(&ran.stack);
    backtrace.unoptimised =
        ran.ending == Termination::DeadlinePassed && symbols.is_unoptimised(&ran.stack);
    let through = |names: &[&str]| {
        let mut functions = backtrace.functions.iter();
        functions.any(|f| names.iter().any(|name| f.is_runtimes(name)))
    };
    let unread = Scan::default();
    let evidence = Evidence {
        gaps: &spec.gaps,
        ending: &ran.ending,
        format: spec.format,
        returned: None,
        gave: None,
        stack: &[],
        panicked: None,
        told: None,
        wrote: (&Captured::default(), &Captured::default()),
        stdout: &unread,
        stderr: &unread,
        backtrace: &backtrace,
        timeout: exec.timeout.unwrap_or(Duration::MAX),
        limit_of: exec.limit_of,
        wasm_stack: exec.wasm_stack,
        denied: &Denials::default(),
        limit_hit: ran.limit_hit.as_ref(),
    };
    let outcome = evidence.common_outcome();
    let mut cause = match outcome.map(|o| evidence.knowing_limits(o)) {
        // in its own words on stderr already
        _ if ran.ending == Termination::Trapped(Trap::Unreachable) && ran.limit_hit.is_none() => {
            Cause::new(
                if through(&["rust_panic", "core::panicking::", "std::panicking::"]) {
                    PANICKED
                } else if through(&["abort", "std::process::abort"]) {
                    "it aborted"
                } else {
                    "it trapped: an `unreachable` instruction was reached"
                },
            )
        }
        Some(Outcome::Skipped { reason }) => {
            Cause::new(format!("it asked to be skipped, as a test can: {reason}"))
        }
        outcome => outcome.and_then(|o| o.cause().cloned()).unwrap_or_default(),
    };
    if !ran.entered && matches!(ran.ending, Termination::Trapped(_)) {
        cause.message = format!(
            "it died at its start, before its entry was called: {}",
            cause.message
        );
    }
    if ran.ending == Termination::Trapped(Trap::Unreachable) {
        let lacks = |name: &str, why_not: Option<&str>, hint: &str| {
            let hint = hints::named(hint).map(|hint| hint.told(why_not));
            hint.filter(|_| through(&[name]))
        };
        let (temp_dir, id) = (&spec.gaps.temp_dir, &spec.gaps.process_id);
        let hint = match temp_dir.why_not() {
            None if through(&["std::env::temp_dir"]) => Some(NO_TMPDIR.to_owned()),
            why_not => lacks("std::env::temp_dir", why_not, hints::TEMP_DIR)
                .or_else(|| lacks("std::process::id", id.why_not(), hints::PROCESS_ID)),
        };
        cause.hint = cause.hint.or(hint);
    }
    // libc has said which path it was, and knows of no flags
    if ran.found_no_folder && cause.hint.is_none() {
        cause = cause.hint(NO_FOLDER);
    }
    cause.frames = backtrace.shown;
    exec.output.tell(&spec.name, &cause);
    i32::from(code)
}
