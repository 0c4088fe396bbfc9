//! How a call into a guest came back: plain facts, before anyone judges them.
//!
//! `sandbox` makes these from what wasmtime reports; its neighbours here
//! turn them into outcomes. Knows neither wasmtime nor tests.

use super::limit::LimitHit;
use crate::event::{Frame, Library};

/// How a guest's entry point came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Termination {
    /// It returned by itself.
    Returned,
    /// It returned by itself and reported failure (only a component's `run` can).
    ReturnedFailure,
    /// It left in the middle, with this status.
    Exited(i32),
    /// It asked to be skipped, for this reason.
    Skipped(String),
    Trapped(Trap),
    /// It asked for more than it may have, and could not go on.
    Limit(LimitHit),
    /// It was stopped at its deadline.
    DeadlinePassed,
    /// It was stopped, or never begun, because the run was interrupted.
    Interrupted,
    /// It could not be started, or the host failed under it.
    Refused(String),
}

/// Why a guest trapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trap {
    /// `unreachable`: what a Rust panic, an abort and a real `unreachable` end in.
    Unreachable,
    /// The WebAssembly call stack is exhausted.
    CallStack,
    /// A memory access outside of linear memory.
    OutOfBounds {
        /// Where, if known.
        address: Option<u64>,
        /// The size of the memory then, in bytes, if known.
        memory: Option<u64>,
    },
    /// An integer division by zero.
    DivisionByZero,
    /// The heap of garbage-collected values has no room for another.
    HeapFull,
    /// A function that `--stub-imports` put in place of a missing import was called.
    StubCalled(String),
    /// Any other trap, in wasmtime's words.
    Other(String),
}

/// One frame of a guest's stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StackFrame {
    /// The function's index in its core module.
    pub function: u32,
    /// Offset in the file that was compiled.
    pub offset: Option<usize>,
}

/// A guest's stack at its trap, as far as names are known.
#[derive(Clone, Debug, Default)]
pub struct Backtrace {
    /// How many frames the guest had.
    pub depth: usize,
    /// The functions, innermost first, inlined ones included, up to whatever called
    /// the test or the program; empty without names.
    pub functions: Vec<Function>,
    /// What to show.
    pub shown: Vec<Frame>,
    /// What was called, where an error came back that may be of it.
    pub asked: RuntimeCalls,
    /// Whether it was stopped in code that was compiled without optimisation, as far as
    /// debug information tells.
    pub unoptimised: bool,
}

/// What was called that may have given the error of which a message tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuntimeCalls {
    /// The runtime's functions that the developer's code called before it panicked, in that
    /// function, the last first.
    pub before: Vec<String>,
    /// Those that it calls anywhere.
    pub anywhere: Vec<String>,
}

/// A function on a guest's stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its demangled name.
    pub name: String,
    /// Whose it is, if it is not the developer's own.
    pub library: Option<Library>,
}

impl Function {
    /// Whether it is the runtime's and its name begins so: what a user calls by the
    /// same name is something else.
    pub fn is_runtimes(&self, name: &str) -> bool {
        if self.library != Some(Library::Runtime) {
            return false;
        }
        let path = path_in(&self.name);
        // methods are `<type>::method` in the newer mangling
        path.starts_with(name) || path.replacen(">::", "::", 1).starts_with(name)
    }
}

/// A name without what stands before its first path: `std::io::Stdin as ...` of
/// `<&mut std::io::Stdin as ...>::read`.
pub fn path_in(name: &str) -> &str {
    let mut rest = name;
    while let Some(shorter) = ["<", "&", "*", "(", "[", "mut ", "const ", "dyn "]
        .iter()
        .find_map(|p| rest.strip_prefix(p))
    {
        rest = shorter;
    }
    rest
}
