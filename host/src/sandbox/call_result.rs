//! How a call into a guest came back: what it returned, left behind, or died of.
//!
//! Takes what wasmtime says of a call and what lies in the guest's store; nothing of that is
//! trusted beyond its bounds.

use super::capture::Stream;
use super::deadline::{CameBack, StopReason};
use super::engine;
use super::limits::Limits;
use super::state::{Refused, Skipped, State};
use super::stubs::StubCalled;
use crate::event::TestOutput;
use crate::harness::limit::LimitHit;
use crate::harness::scan::Scan;
use crate::harness::termination::{StackFrame, Termination, Trap};
use crate::harness::told::ToldPanic;
use crate::instrument::direct::{CHOSEN, GAVE};
use wasmtime::{GcHeapOutOfMemory, Instance, Store, Val, WasmBacktrace};
use wasmtime_wasi::I32Exit;

/// What wasmtime says of instances, memories and tables that are too many.
const TOO_MANY: &str = " count too high at ";

/// How a call came back.
pub struct CallResult {
    pub ending: Termination,
    /// Whether its entry was reached: a trap before that is one of its start.
    pub entered: bool,
    /// What a test's export returned.
    pub returned: Option<i32>,
    /// The first word of what a test's function gave that was called directly.
    pub gave: Option<u32>,
    /// The message of the panic that the SDK recorded in a test.
    pub panicked: Option<String>,
    /// What std told of a panic, and the stack when it began to: where somebody listened.
    pub told: (Option<ToldPanic>, Vec<StackFrame>),
    pub output: TestOutput,
    /// The guest's stack at its trap, innermost first.
    pub stack: Vec<StackFrame>,
    /// What it asked for and was refused, since it had reached a limit.
    pub limit_hit: Option<LimitHit>,
    /// Its stack when it had run for [`super::deadline::GLANCE`], if it did.
    pub seen_at: Vec<StackFrame>,
    /// What was seen in its stdout.
    pub stdout_scan: Scan,
    /// What was seen in its stderr.
    pub stderr_scan: Scan,
    /// A source that it found by the name that `file!()` gives it, where that is no path.
    pub as_source: Option<String>,
    /// What was refused to it since its own folders were full, in words.
    pub no_room: Option<String>,
    touched_files: bool,
}

impl CallResult {
    /// Whether what it did may hang on more than its module and its arguments: it
    /// looked at files, or did not come to its end.
    pub fn may_differ(&self) -> bool {
        self.touched_files || self.ending == Termination::Interrupted
    }
}

impl CallResult {
    pub(super) fn touched_files(&self) -> bool {
        self.touched_files
    }

    /// How a call came back that left nothing but this and its output.
    pub(super) fn without_store(ending: Termination, streams: &(Stream, Stream)) -> CallResult {
        let (stdout, stdout_scan) = streams.0.finish();
        let (stderr, stderr_scan) = streams.1.finish();
        CallResult {
            ending,
            entered: false,
            returned: None,
            gave: None,
            panicked: None,
            told: (None, Vec::new()),
            output: TestOutput {
                stdout,
                stderr,
                ..TestOutput::default()
            },
            stack: Vec::new(),
            limit_hit: None,
            seen_at: Vec::new(),
            stdout_scan,
            stderr_scan,
            as_source: None,
            no_room: None,
            touched_files: false,
        }
    }
}

/// What is learned in a call beside its result.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) entered: bool,
    pub(super) returned: Option<i32>,
    pub(super) gave: Option<u32>,
    pub(super) panicked: Option<String>,
}

impl Seen {
    /// Calls an export that runs something.
    pub(super) fn run(
        &mut self,
        store: &mut Store<State>,
        instance: &Instance,
        export: &str,
    ) -> wasmtime::Result<Termination> {
        self.entered = true;
        let limits = &store.data().limits;
        if let Some(allowed) = limits.own() {
            enough(allowed, limits.used())?;
        }
        let run = instance.get_typed_func::<(), i32>(&mut *store, export)?;
        match run.call(&mut *store, ()) {
            Ok(returned) => {
                self.returned = Some(returned);
                Ok(Termination::Returned)
            }
            Err(e) => {
                self.panicked = panicked(store, instance);
                Err(e)
            }
        }
    }

    /// Starts an instance in which one test's function is called in place of its harness.
    pub(super) fn run_direct(
        &mut self,
        store: &mut Store<State>,
        instance: &Instance,
        place: u32,
    ) -> wasmtime::Result<Termination> {
        let global = |store: &mut Store<State>, name| {
            let found = instance.get_global(store, name);
            found.ok_or_else(|| wasmtime::format_err!("its tests cannot be called directly"))
        };
        let chosen = global(store, CHOSEN)?;
        chosen.set(&mut *store, Val::I32(place.cast_signed()))?;
        let start = instance.get_typed_func::<(), ()>(&mut *store, "_start")?;
        self.entered = true;
        start.call(&mut *store, ())?;
        let gave = global(store, GAVE)?.get(&mut *store).i32();
        self.gave = gave.map(i32::cast_unsigned);
        Ok(Termination::Returned)
    }

    /// Puts together how a call came back.
    pub(super) fn account(
        self,
        store: &mut Store<State>,
        mut back: CameBack<wasmtime::Result<Termination>>,
        streams: &(Stream, Stream),
    ) -> CallResult {
        let state = store.data_mut();
        let mut seen_at = std::mem::take(&mut back.seen_at);
        if seen_at.is_empty() {
            // it was seen on its way back from the host
            seen_at = std::mem::take(&mut state.seen_at);
        }
        let (mut ending, stack) = ended(back, self.entered, &mut state.limits);
        if let Termination::Trapped(Trap::Other(_)) = ending
            && let Some(limit) = streams.0.passed().or(streams.1.passed())
        {
            ending = Termination::Limit(LimitHit::Output { limit });
        }
        let mut called = CallResult {
            entered: self.entered,
            returned: self.returned,
            gave: self.gave,
            panicked: self.panicked,
            told: state.listener.take().map(|l| l.told()).unwrap_or_default(),
            stack,
            limit_hit: state.limits.take_hit(),
            seen_at,
            as_source: state.watch.take_source(),
            no_room: state.account.take_refused(),
            touched_files: state.touched_files,
            ..CallResult::without_store(ending, streams)
        };
        called.output.logs = std::mem::take(&mut state.report.logs);
        called.output.attachments = std::mem::take(&mut state.report.attachments);
        called.output.denied = state.watch.take();
        called
    }
}

/// Whether a test's own limit leaves room for what its module has already.
pub(super) fn enough(allowed: u64, there: u64) -> wasmtime::Result<()> {
    match there > allowed {
        false => Ok(()),
        true => Err(Refused(format!(
            "its mark allows {allowed} bytes of memory (max_memory), and its module and fixtures have {there} before it begins"
        ))
        .into()),
    }
}

/// How a call ended, and its stack if it trapped.
pub(super) fn ended(
    back: CameBack<wasmtime::Result<Termination>>,
    entered: bool,
    limits: &mut Limits,
) -> (Termination, Vec<StackFrame>) {
    let CameBack {
        result,
        stopped,
        caught,
        ..
    } = back;
    let error = match result {
        None => return (Termination::Interrupted, Vec::new()),
        Some(Ok(ending)) => return (ending, Vec::new()),
        Some(Err(error)) => error,
    };
    let mut stack = Vec::new();
    if let Some(trace) = error.downcast_ref::<WasmBacktrace>() {
        stack = frames(trace);
    }
    let ending = match ending_of(&error) {
        // it was made to go on at such an instruction
        Termination::Trapped(Trap::Unreachable) if caught => Termination::DeadlinePassed,
        ending => ending,
    };
    let ending = match ending {
        Termination::Trapped(Trap::Other(why)) => {
            if why.contains(TOO_MANY) {
                let limit = limits.max_instances().unwrap_or(u64::MAX);
                limits.set_hit(LimitHit::Instances { limit });
            }
            if !entered && why.contains(&format!("(os error {})", libc::ENOMEM)) {
                limits.nothing_to_begin_with();
            }
            match limits.hit() {
                // what was refused is what it cannot begin without
                Some(hit) if !entered => Termination::Limit(hit.clone()),
                _ => Termination::Trapped(Trap::Other(why)),
            }
        }
        Termination::DeadlinePassed if stopped == Some(StopReason::Interrupt) => {
            Termination::Interrupted
        }
        ending => ending,
    };
    (ending, stack)
}

/// A stack in plain numbers.
pub(super) fn frames(trace: &WasmBacktrace) -> Vec<StackFrame> {
    let frame = |f: &wasmtime::FrameInfo| StackFrame {
        function: f.func_index(),
        offset: f.module_offset().or_else(|| first_place(f)),
    };
    trace.frames().iter().map(frame).collect()
}

/// The first place in the file of a frame's function, for an instruction that has none of its own,
/// as where a function makes its frame.
fn first_place(frame: &wasmtime::FrameInfo) -> Option<usize> {
    let module = frame.module();
    let mut functions = module.functions();
    let function = functions.find(|f| f.index.as_u32() == frame.func_index())?;
    let code = function.offset..function.offset + function.len;
    let mut places = module.address_map()?.filter(|(at, _)| code.contains(at));
    places
        .find_map(|(_, place)| place)
        .map(|place| place as usize)
}

/// The message that the SDK's panic hook left in the guest's memory: two words at
/// an exported address say where. Nothing in there is to be trusted.
fn panicked(store: &mut Store<State>, instance: &Instance) -> Option<String> {
    const LONGEST: usize = 64 << 20;
    let message = pointed_to(store, instance, "wasmtest-panicked", LONGEST)?;
    Some(String::from_utf8_lossy(&message).into_owned())
}

/// The bytes that two words at an exported address point to, up to so many; `None`
/// if they are not there or the first word is 0.
pub(super) fn pointed_to(
    store: &mut Store<State>,
    instance: &Instance,
    export: &str,
    longest: usize,
) -> Option<Vec<u8>> {
    let at = instance.get_global(&mut *store, export)?;
    let at = at.get(&mut *store).i32()? as u32 as usize;
    let memory = instance.get_memory(&mut *store, "memory")?;
    let data = memory.data(&*store);
    let word = |at: usize| -> Option<usize> {
        let bytes = data.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
    };
    let (address, length) = (word(at)?, word(at.checked_add(4)?)?);
    if address == 0 {
        return None;
    }
    let end = address.checked_add(length.min(longest))?;
    data.get(address..end).map(<[u8]>::to_vec)
}

fn ending_of(error: &wasmtime::Error) -> Termination {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return Termination::Exited(exit.0);
    }
    if let Some(skipped) = error.downcast_ref::<Skipped>() {
        return Termination::Skipped(skipped.0.clone());
    }
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return Termination::Trapped(Trap::Other(refused.0.clone()));
    }
    if let Some(stub) = error.downcast_ref::<StubCalled>() {
        return Termination::Trapped(Trap::StubCalled(stub.0.clone()));
    }
    use wasmtime::Trap as T;
    match error.downcast_ref::<T>() {
        Some(T::Interrupt) => Termination::DeadlinePassed,
        Some(T::UnreachableCodeReached) => Termination::Trapped(Trap::Unreachable),
        Some(T::StackOverflow) => Termination::Trapped(Trap::CallStack),
        Some(T::IntegerDivisionByZero) => Termination::Trapped(Trap::DivisionByZero),
        Some(T::MemoryOutOfBounds) => {
            let (address, memory) = fault(error).unzip();
            Termination::Trapped(Trap::OutOfBounds { address, memory })
        }
        Some(T::AllocationTooLarge) => Termination::Trapped(Trap::HeapFull),
        Some(trap) => Termination::Trapped(Trap::Other(trap.to_string())),
        None if error.is::<GcHeapOutOfMemory<()>>() => Termination::Trapped(Trap::HeapFull),
        None => Termination::Trapped(Trap::Other(engine::chain(error))),
    }
}

/// wasmtime attaches address and memory size to a fault, as text only:
/// `memory fault at wasm address 0x.. in linear memory of size 0x..`.
fn fault(error: &wasmtime::Error) -> Option<(u64, u64)> {
    error.chain().find_map(|cause| {
        let text = cause.to_string();
        let (address, memory) = text
            .strip_prefix("memory fault at wasm address 0x")?
            .split_once(" in linear memory of size 0x")?;
        let hex = |s: &str| u64::from_str_radix(s.trim(), 16).ok();
        Some((hex(address)?, hex(memory)?))
    })
}
