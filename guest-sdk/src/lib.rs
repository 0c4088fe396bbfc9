//! Tests for WebAssembly that say what libtest cannot.
//!
//! ```
//! // Beside #[test], in the same `#[cfg(test)] mod tests`, in `tests/*.rs`, in a binary:
//! #[wasmtest::test]
//! fn adds() {
//!     assert_eq!(1 + 1, 2);
//! }
//!
//! /// Its first paragraph is the test's description in reports.
//! #[wasmtest::test(tags("slow", "parser"), timeout = "2s", max_memory = "64MiB")]
//! fn parses_a_large_file() -> Result<(), std::num::ParseIntError> {
//!     let number: u32 = "7".parse()?;
//!     wasmtest::log(format!("parsed {number}"));
//!     wasmtest::attach("number.txt", "text/plain", number.to_string());
//!     Ok(())
//! }
//!
//! // The standard attributes mean what they mean beside #[test]. On wasm,
//! // where libtest cannot run such a test, this one really runs.
//! #[wasmtest::test]
//! #[should_panic(expected = "out of range")]
//! fn refuses_a_bad_index() {
//!     panic!("index out of range");
//! }
//!
//! // Known to fail: as soon as it passes, that is a failure, and said so.
//! #[wasmtest::test(todo = "needs the new parser")]
//! fn parses_comments() {
//!     panic!("not yet");
//! }
//!
//! // Found out while it runs.
//! #[wasmtest::test]
//! fn reads_a_granted_file() {
//!     wasmtest::skip_if!(!std::path::Path::new("data").exists(), "no data granted");
//! }
//!
//! // An async test names what runs it: `tokio`, or any function that takes a future.
//! # mod pollster { pub fn block_on<F: Future>(_: F) -> F::Output { unreachable!() } }
//! #[wasmtest::test(block_on = pollster::block_on)]
//! async fn answers() {
//!     assert_eq!(std::future::ready(42).await, 42);
//! }
//! # fn main() {}
//! ```
//!
//! # Where such tests run
//!
//! - Built for wasm32-wasip1 and run by `wasmtest run`: listed from the file without
//!   running anything, each in an instance of its own, without libtest's start.
//!   They may stand in one file with `#[test]` functions, which run as ever.
//! - Everywhere else (`cargo test` natively, and for wasm32-wasip2) they are plain
//!   `#[test]` functions, so that they run in editors and under debuggers.
//!   [`log`] prints to stderr, [`attach`] writes a file below `target/wasmtest`,
//!   [`skip!`] prints its reason and the test counts as passed, `todo` tests are
//!   ignored, `timeout` and `max_memory` do nothing. libtest shows what a test that
//!   passed has printed only after `cargo test -- --show-output` or `--nocapture`:
//!   so it is with the reason of a skip and the place of an attachment.
//!
//! # Where the SDK has another name
//!
//! With `sdk = { package = "wasmtest-sdk", ... }` in the manifest, or through a crate
//! that exports the SDK again, the attribute is told the path:
//!
//! ```
//! # use wasmtest as sdk;
//! #[sdk::test(crate = sdk)]
//! fn adds() {
//!     assert_eq!(1 + 1, 2);
//! }
//! # fn main() {}
//! ```
//!
//! # Limits
//!
//! - [`skip!`] ends a test where it is: on wasm32-wasip1 no destructor runs. Natively
//!   it unwinds the test: it counts as a skip on the test's own thread alone, and in a
//!   plain `#[test]` it is a failure that says so. Where a panic aborts and there is no
//!   such runner (wasm32-wasip2, `panic = "abort"`), it ends the process with code 0,
//!   after the line `wasmtest: skipped: ` and the reason, which `wasmtest run` reads.
//! - A `#[should_panic]` test that skips passes natively too: to libtest it panics,
//!   with the expected text followed by `(skipped: the reason)`.
//! - The test's thread has no name on wasm32-wasip1, so a panic says `thread '<unnamed>'`.
//! - On wasm a panic aborts. On wasm32-wasip1 `#[should_panic]` is judged by the runner,
//!   from what a panic hook of the SDK's left for it; a trap that is no panic does not
//!   count, nor does `resume_unwind`, nor a panic after the test has set another hook.
//!   For wasm32-wasip2 libtest does not run such a test.
//! - wasm32-wasip1 has no threads: a runtime of tokio's that waits with nothing left to
//!   wake it, neither a timer nor another task, panics with `condvar wait not supported`.
//! - On wasm32-wasip1, a test that calls [`log`], [`attach`], [`test_id`], [`attempt`] or
//!   [`skip!`] makes its file import `wasmtest:test/host`, so a plain WASI runtime
//!   refuses that file; a file whose tests call none of them imports nothing of ours.
//! - A test is a free function: no method, no parameters, not generic. Attributes that
//!   make a test of it by themselves, such as `#[tokio::test]`, do not go with this one.

#![warn(missing_docs)]

#[cfg(all(target_os = "wasi", target_env = "p1"))]
#[allow(warnings, clippy::all, clippy::undocumented_unsafe_blocks)]
#[rustfmt::skip]
mod bindings;
#[cfg(not(all(target_os = "wasi", target_env = "p1")))]
mod elsewhere;
mod fixtures;
mod host;
#[cfg(all(target_os = "wasi", target_env = "p1"))]
#[doc(hidden)]
pub mod instance;
#[cfg(all(target_os = "wasi", target_env = "p1"))]
mod panics;
#[cfg(not(all(target_os = "wasi", target_env = "p1")))]
mod suites;

pub use host::{attach, attempt, log, test_id};

/// Marks a function as a test.
///
/// It returns nothing or a `Result<(), E>` with `E: Debug`. `#[ignore]`,
/// `#[should_panic]`, `#[cfg]` and `#[cfg_attr]` beside it mean what they mean beside
/// `#[test]`. In its own brackets, each at most once:
///
/// | argument | meaning |
/// |---|---|
/// | `tags("a", "b")` | chosen with `--tag` and `--skip-tag` |
/// | `todo`, `todo = "why"` | expected to fail; a pass is a failure |
/// | `timeout = "2s"` | its own time limit (`ms`, `s`, `m`) |
/// | `max_memory = "64MiB"` | how much memory it may use (`KiB`, `MiB`, `GiB`) |
/// | `tokio` | runs an `async fn` on a current-thread runtime of tokio's, which is a dependency of the tests' own with the features `rt` and `time` |
/// | `block_on = path` | runs an `async fn` by this function |
/// | `crate = path` | where the SDK is, if not at `::wasmtest` |
pub use wasmtest_sdk_macros::test;

pub use wasmtest_sdk_macros::{after, before, fixture, setup, suite, teardown};

/// Declares a fixture.
#[macro_export]
macro_rules! host_fixture {
    ($($declared:tt)*) => {
        $crate::__private::host_fixture!($crate; $($declared)*);
    };
}

/// Ends the test as skipped, for a reason: text and values as in `format!`.
///
/// On wasm the test ends where it is, and no destructor runs.
/// Natively the test is unwound and passes; the reason is printed, and libtest shows it
/// with `--show-output` or `--nocapture`. That needs `#[wasmtest::test]`, also where
/// there is `#[should_panic]`: in a plain `#[test]` a native skip is a failure.
#[macro_export]
macro_rules! skip {
    () => {
        ::std::compile_error!("give a reason: skip!(\"why\")")
    };
    ($($reason:tt)+) => {
        $crate::__private::skip(&::std::format!($($reason)+))
    };
}

/// Ends the test as skipped if a condition holds: `skip_if!(condition, "reason")`.
#[macro_export]
macro_rules! skip_if {
    () => {
        ::std::compile_error!("give a condition and a reason: skip_if!(condition, \"why\")")
    };
    ($condition:expr $(,)?) => {
        ::std::compile_error!("give a reason: skip_if!(condition, \"why\")")
    };
    ($condition:expr, $($reason:tt)+) => {
        if $condition {
            $crate::skip!($($reason)+)
        }
    };
}

#[doc(hidden)]
pub mod __private {
    //! What the macros call. No interface: it changes without notice.

    pub use crate::fixtures::{Done, Fixture, Make, deeper, fallible, from_host, own, shared};
    pub use crate::host::skip;
    pub use wasmtest_sdk_macros::host_fixture;
    pub use wasmtest_section as section;

    use std::fmt::Debug;

    /// This crate's version.
    pub const VERSION: section::SdkVersion = section::SdkVersion::of(env!("CARGO_PKG_VERSION"));

    /// What a test may return.
    #[diagnostic::on_unimplemented(
        message = "a test returns nothing or a `Result<(), E>`, not `{Self}`",
        label = "the test returns this",
        note = "`E` is anything that implements `Debug`"
    )]
    pub trait Returned {
        /// Whether the test passed; an error is written to stderr as std does.
        fn passed(self) -> bool;

        /// Whether it is an error.
        fn is_error(&self) -> bool;

        /// What a skipped test returns, where it is a plain `#[test]`: a pass.
        fn skipped() -> Self;
    }

    impl Returned for () {
        fn passed(self) -> bool {
            true
        }

        fn is_error(&self) -> bool {
            false
        }

        fn skipped() -> Self {}
    }

    impl<E: Debug> Returned for Result<(), E> {
        fn passed(self) -> bool {
            match self {
                Ok(()) => true,
                Err(error) => {
                    eprintln!("Error: {error:?}");
                    false
                }
            }
        }

        fn is_error(&self) -> bool {
            self.is_err()
        }

        fn skipped() -> Self {
            Ok(())
        }
    }

    /// How a skipped test ends as a pass, where it is a plain `#[test]`.
    pub enum WhenSkipped {
        /// It returns.
        Return,
        /// It is to panic, and with these words.
        Panic(&'static str),
    }

    #[cfg(all(target_os = "wasi", target_env = "p1"))]
    pub use crate::instance::{self, run_test as run};

    /// Runs a test that is a plain `#[test]`.
    #[cfg(not(all(target_os = "wasi", target_env = "p1")))]
    pub use crate::suites::run_as_test;
    #[cfg(not(all(target_os = "wasi", target_env = "p1")))]
    pub use crate::suites::{Hook, Role, must_succeed};
    #[cfg(not(all(target_os = "wasi", target_env = "p1")))]
    pub use inventory;
}
