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
//! # Suites, fixtures and cases
//!
//! ```
//! // A fixture is a function, and a parameter of its name receives its value.
//! #[wasmtest::fixture(shared)]
//! fn config() -> String {
//!     "memory".to_owned()
//! }
//!
//! pub struct Db(String);
//!
//! #[wasmtest::fixture(split, teardown = close)]
//! fn db(config: &str) -> Result<Db, std::io::Error> {
//!     Ok(Db(config.to_owned()))
//! }
//!
//! fn close(db: &Db) {
//!     println!("closes {}", db.0);
//! }
//!
//! // Each case is a test: `measures::empty`, `measures::two`.
//! #[wasmtest::test(cases(empty = ("", 0), two = ("ab", 2)))]
//! fn measures(text: &str, expected: usize, db: &Db) {
//!     assert_eq!(text.len(), expected);
//! }
//!
//! // A suite is a module; those within are its inner suites. In a file of its own, and
//! // at the crate's root, the mark stands on the setup: #[wasmtest::setup(shared)].
//! #[wasmtest::suite(shared)]
//! mod accounts {
//!     use super::config;
//!
//!     #[derive(serde::Serialize, serde::Deserialize)]
//!     pub struct Account {
//!         name: String,
//!     }
//!
//!     // Once for the suite. What it returns is a fixture by its name.
//!     #[wasmtest::setup]
//!     fn account(config: &str) -> Account {
//!         Account { name: format!("{config} account") }
//!     }
//!
//!     #[wasmtest::teardown]
//!     fn end(account: &Account) {
//!         println!("ends {}", account.name);
//!     }
//!
//!     // Around each test of the suite.
//!     #[wasmtest::before]
//!     fn begins() {}
//!
//!     #[wasmtest::after]
//!     fn ends() {}
//!
//!     #[wasmtest::test]
//!     fn has_a_name(account: &Account, config: String) {
//!         assert!(account.name.starts_with(&config));
//!     }
//! }
//!
//! // Its value comes from the host fixture `server` in `wasmtest.toml`.
//! #[derive(serde::Deserialize)]
//! pub struct Server {
//!     port: u16,
//! }
//! wasmtest::host_fixture!(pub server: Server);
//!
//! // The SDK's own: an empty folder, made for each test that asks for it, removed after it.
//! use wasmtest::{TempDir, temp_dir};
//!
//! #[wasmtest::test]
//! fn writes_a_file(temp_dir: &TempDir) -> Result<(), std::io::Error> {
//!     std::fs::write(temp_dir.path().join("a.txt"), "a")
//! }
//! # fn main() {}
//! ```
//!
//! | mark | of a suite | of a fixture |
//! |---|---|---|
//! | none | as `unit` | computed for each test that asks for it, in a unit too, and torn down after it |
//! | `unit` | if it has a setup or a teardown, all its tests run in one instance, in order; the setup runs once there | those of its module's tests that need it run in one instance, where it is computed once; for others in the instance of each |
//! | `split` | each test has an instance of its own, which begins where the setup ended; teardown is run in each | the same |
//! | `shared` | each test has an instance of its own; the setup runs once for all, and its value, if it has one, goes to the tests as CBOR | computed once for all; goes to the tests as CBOR |
//! | `serial` | as without a mark, but alone, after all other tests | |
//!
//! A split setup that does nothing outside of its own memory is run once a worker at
//! most: its state is kept and replayed (`--no-snapshot` runs it for each test). So
//! random numbers that it drew and times that it read are the same for all tests that
//! begin from it, and a generator that was seeded in it (`RandomState`, `thread_rng`,
//! `fastrand`, `uuid` with `fast-rng`) goes on alike in each of them, so that names which
//! have to be unique clash. WASI's own random numbers (`getrandom`) are fresh in each
//! test, and the monotonic clock goes on from where it stood.
//! `#[wasmtest::fixture(split, fresh)]` and `#[wasmtest::setup(fresh)]` opt out. Inside of a `unit` suite the
//! marks of inner suites change nothing, but that a `serial` one makes all of it run at
//! the end. With `--processes 0` split suites are such units too, so that one test can see
//! what another left; `--processes 1` replays. A panic ends the instance of a unit: what can be
//! taken down is, and the rest of it runs in a new one that is set up again.
//!
//! A parameter `name: &T` borrows the value, `name: T` has a clone of it. What was made last
//! is torn down first, and then dropped. What is there for several tests (a setup, a teardown, what is marked
//! `unit`, `split` or `shared`) cannot ask for what each test has for itself (what has no mark or is
//! `fresh`). What is shared needs only what is shared, and its value is one of serde's. In what order
//! tests are written is what file and line of the attribute say, and of cases the list.
//!
//! Where they are plain `#[test]` functions, each test is by itself whatever the mark,
//! on its own thread: setups from the outermost suite inwards, fixtures, `before`s, the
//! test; then, last first, `after`s, teardowns of fixtures and of suites, also after a
//! panic unless panics abort. What is shared is computed once in the process, read by
//! each test from its CBOR, and never torn down. A test of a `serial` suite has no other of
//! the SDK's beside it; plain `#[test]`s it has. A test in a process with others sees
//! their statics, as ever. The value of a host fixture is read as JSON from
//! `WASMTEST_FIXTURE_SERVER`, for one called `server`: in a component the runner sets it
//! for the tests that ask for it, natively you do.
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
//! With `sdk = { package = "wasmtest-sdk", ... }` in the manifest, or in that of its
//! workspace, the attributes find it by that name. Through a crate that exports the SDK
//! again each of them is told the path:
//!
//! ```
//! # mod helpers { pub use wasmtest as sdk; }
//! #[helpers::sdk::test(crate = crate::helpers::sdk)]
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
//! - A test may log and attach 16 MiB and 10,000 times in all; the name and the media
//!   type of an attachment have 1 KiB, the reason of a skip 4 KiB, what travels of a
//!   shared fixture 16 MiB. A test has at most 64 tags, lies in at most 32 suites and
//!   needs at most 128 fixtures; of its description 4 KiB are kept. Elsewhere nobody
//!   checks what is logged and attached.
//! - What is printed without an end of line just before a panic is lost on wasm, as it
//!   is with libtest's tests.
//! - Outside of `#[cfg(test)]` (in a program, say) the attribute makes a test for
//!   wasm32-wasip1 alone; everywhere else it vanishes there as `#[test]` does.
//! - Natively `--include-ignored` runs `todo` tests, whose failure is then a failure.
//! - A fixture stands among the types too: a module or a type of the same name, in the
//!   same module, clashes with it. `Result` is known by its name: a fixture that returns
//!   another name for one has the `Result` as its value.
//! - Fixtures that need each other in a circle are rustc's error of a `cycle`, at their
//!   names. A module has at most one hook of each kind.
//! - A test is a free function: no method, not generic. Attributes that
//!   make a test of it by themselves, such as `#[tokio::test]`, do not go with this one.

#![warn(missing_docs)]

mod asked;
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
mod temp;

pub use host::{attach, attempt, log, test_id};
pub use temp::{TempDir, temp_dir};

/// Marks a function as a test.
///
/// Its parameters are [fixtures](macro@fixture) by their names.
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
/// | `cases(name = value, other = value)` | a test of its own for each; the value, or each of a tuple's, is for the first parameters |
/// | `crate = path` | where the SDK is, if the manifest does not say it: through a crate that exports it again |
pub use wasmtest_sdk_macros::test;

/// Marks a module, with its content, as a suite: `#[wasmtest::suite(split)]`.
///
/// In the brackets stands `unit`, `split`, `shared`, `serial` or nothing; a setup in
/// the module has the same mark. A module whose content is in another file is marked
/// there, at its [`setup`]. See the crate's first page.
pub use wasmtest_sdk_macros::suite;

/// Marks a function as the setup of the suite that its module is.
///
/// In the brackets: the suite's mark (see [`suite`]), `tokio` or `block_on = path` for
/// an `async fn`. Parameters are fixtures by their names. It returns nothing or a value,
/// by itself or in a `Result`; the value is a fixture by the function's name.
pub use wasmtest_sdk_macros::setup;

/// Marks a function as the teardown of the suite that its module is: run after the
/// last of its tests. Parameters and `async` as in [`setup`]; it returns nothing or a
/// `Result<(), E>`.
pub use wasmtest_sdk_macros::teardown;

/// Marks a function to be run before each test of the suite that its module is, after
/// those of outer suites. As [`teardown`].
pub use wasmtest_sdk_macros::before;

/// Marks a function to be run after each test of the suite that its module is, before
/// those of outer suites. As [`teardown`].
pub use wasmtest_sdk_macros::after;

/// Marks a function as a fixture: a parameter of its name receives what it returns,
/// by itself or in a `Result`. `use` imports it from other modules.
///
/// | argument | meaning |
/// |---|---|
/// | nothing | computed for each test that asks for it, and torn down after it |
/// | `unit` | computed once in an instance, in which those of its module's tests run together that need it |
/// | `split` | computed once in each instance |
/// | `shared` | computed once for all; the value implements serde's traits |
/// | `fresh` | computed for each test, whatever the mark beside it |
/// | `teardown = path` | a function that takes a reference to the value, when it is no longer needed |
/// | `tokio`, `block_on = path` | as in [`test`](macro@test) |
pub use wasmtest_sdk_macros::fixture;

/// Declares a fixture whose value comes from the host fixture of the same name in
/// `wasmtest.toml`: `host_fixture!(pub server: Server)`, or of another name:
/// `host_fixture!(server: Server = "name")`.
///
/// The type implements serde's `Deserialize`, with nothing borrowed in it.
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

    pub use crate::asked::{from_host, own, shared};
    pub use crate::fixtures::{Done, Fixture, Make, Needs, deeper, fallible};
    pub use crate::host::skip;
    pub use wasmtest_sdk_macros::host_fixture;
    pub use wasmtest_sdk_macros::no_fixture_of_this_name_is_in_scope_import_it_with_use_or_mark_a_function_with_fixture;
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
