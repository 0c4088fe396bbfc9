//! How a call into a guest came back: plain facts, before anyone judges them.
//!
//! `sandbox` makes these from what wasmtime reports; the harnesses in `module`
//! turn them into outcomes. Knows neither wasmtime nor tests.

/// How a guest's entry point came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It returned by itself.
    Returned,
    /// It returned by itself and reported failure (only a component's `run` can).
    ReturnedFailure,
    /// It left in the middle, with this status.
    Exited(i32),
    /// It asked to be skipped, for this reason.
    Skipped(String),
    /// It trapped.
    Trapped(Trap),
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
    /// A function that `--stub-imports` put in place of a missing import was called.
    StubCalled(String),
    /// Any other trap, in wasmtime's words.
    Other(String),
}

/// A guest's stack at its trap, as far as names are known.
#[derive(Clone, Debug, Default)]
pub struct Backtrace {
    /// How many frames the guest had.
    pub depth: usize,
    /// The functions' demangled names, innermost first, inlined ones included, up to
    /// whatever called the test or the program; empty without names.
    pub functions: Vec<String>,
    /// What to show.
    pub shown: Vec<crate::event::Frame>,
}
