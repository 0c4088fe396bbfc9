//! Suites where there is no runner: a program's list of hooks, and what is run around
//! each plain `#[test]`.
//!
//! Each test is by itself, whatever its suite's mark: setups, fixtures, `before`s, the
//! test, `after`s, teardowns, all on its thread. Only what is shared is computed once
//! in the process, and never torn down.

use crate::__private::{Returned, WhenSkipped};
use crate::elsewhere::{self, Skip};
use crate::fixtures::{self, Arrives, Kept, Make, Needs, Travels};
use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// What is known of a suite: there are several of these for one.
pub struct Hook {
    /// The path of the suite's module.
    pub module: &'static str,
    /// What is known.
    pub role: Role,
    /// The fixtures that the function needs.
    pub needs: Needs,
    /// The function, which panics if something goes wrong.
    pub run: fn(),
}

/// What a hook is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// None: the suite is shared.
    Shared,
    /// None: the suite's tests run alone.
    Serial,
    /// Run before all of the suite's tests.
    Setup,
    /// Run after all of the suite's tests.
    Teardown,
    /// Run before each of the suite's tests.
    Before,
    /// Run after each of the suite's tests.
    After,
}

inventory::collect!(Hook);

type Payload = Box<dyn Any + Send>;
type Undo = Box<dyn FnOnce()>;

thread_local! {
    /// What is to be done after the test on this thread, last first.
    static UNDO: RefCell<Vec<Undo>> = const { RefCell::new(Vec::new()) };
}

/// Runs the test of this path, its crate included, with all that belongs to it.
pub fn run_as_test<T: Returned>(
    path: &'static str,
    when_skipped: WhenSkipped,
    needs: Needs,
    test: impl FnOnce() -> T,
) -> T {
    let _turn = Turn::take(path);
    let expected = match when_skipped {
        WhenSkipped::Return => Expected::Return,
        WhenSkipped::Panic(_) => Expected::Panic,
    };
    elsewhere::run(path, when_skipped, || {
        // a test may call another
        let values = fixtures::replace(Kept::default());
        let undo = UNDO.take();
        let ended = around(path, needs, test, expected);
        // the values go after all that could ask for them
        let dropped = caught(|| drop(fixtures::replace(values)));
        UNDO.set(undo);
        match (ended, dropped) {
            (Ok(value), Ok(())) => value,
            (Err(payload), _) | (_, Err(payload)) => resume_unwind(payload),
        }
    })
}

/// How a test is to end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Return,
    /// By a panic, which must then be the test's own.
    Panic,
}

fn around<T: Returned>(
    path: &str,
    needs: Needs,
    test: impl FnOnce() -> T,
    expected: Expected,
) -> Result<T, Payload> {
    let ready = caught(|| get_ready(path, needs));
    let ended = match ready {
        Ok(()) => Ok(caught(test)),
        Err(payload) => Err(payload),
    };
    let undone = undo();
    // libtest takes any panic for the one that the test should have
    let not_its_own = |payload: Payload| match expected {
        Expected::Panic if !payload.is::<Skip>() => Ok(T::skipped()),
        _ => Err(payload),
    };
    match (ended, undone) {
        (Err(before), _) => not_its_own(before),
        (Ok(Ok(value)), Err(after)) if expected == Expected::Return => match value.is_error() {
            true => Ok(value),
            false => Err(after),
        },
        (Ok(Ok(value)), _) => Ok(value),
        (Ok(Err(_)), Err(after)) if expected == Expected::Panic => not_its_own(after),
        (Ok(Err(panic)), _) => Err(panic),
    }
}

/// The suites that a test lies in, the outermost first.
fn suites_around(path: &str) -> Vec<&'static str> {
    let mut suites: Vec<&str> = hooks().map(|hook| hook.module).collect();
    suites.retain(|module| {
        let below = path.strip_prefix(module);
        below.is_some_and(|below| below.starts_with("::"))
    });
    // what contains another is shorter
    suites.sort_by_key(|module| module.len());
    suites.dedup();
    suites
}

/// A test's turn: those of a serial suite have no other of the SDK's beside them.
enum Turn {
    /// With others that do not mind.
    Beside(#[allow(dead_code)] RwLockReadGuard<'static, ()>),
    Alone(#[allow(dead_code)] RwLockWriteGuard<'static, ()>),
    /// A test calls this one, in its own turn.
    Callers,
}

thread_local! {
    /// Whether a test's turn has come on this thread.
    static IN_TURN: Cell<bool> = const { Cell::new(false) };
}

impl Turn {
    fn take(path: &str) -> Turn {
        static TURNS: RwLock<()> = RwLock::new(());
        if IN_TURN.replace(true) {
            return Turn::Callers;
        }
        let mut suites = suites_around(path).into_iter();
        // a test that fails leaves nothing in the middle of anything
        match suites.any(|suite| of(suite, Role::Serial).next().is_some()) {
            true => Turn::Alone(TURNS.write().unwrap_or_else(PoisonError::into_inner)),
            false => Turn::Beside(TURNS.read().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !matches!(self, Turn::Callers) {
            IN_TURN.set(false);
        }
    }
}

/// Runs setups, fixtures and `before`s, and notes what undoes them.
fn get_ready(path: &str, needs: Needs) {
    let suites = suites_around(path);
    for suite in &suites {
        run(suite, Role::Setup);
        if of(suite, Role::Shared).next().is_none() {
            undo_by(suite, Role::Teardown);
        }
    }
    let around = [Role::Before, Role::After];
    let all = suites
        .iter()
        .flat_map(|suite| around.iter().flat_map(|role| of(suite, *role)))
        .map(|hook| hook.needs);
    // as in the runner: what one test has for itself is made last
    let all: Vec<Needs> = std::iter::once(needs).chain(all).collect();
    all.iter().for_each(|needs| (needs.ahead)());
    all.iter().for_each(|needs| (needs.make)());
    for suite in &suites {
        run(suite, Role::Before);
        undo_by(suite, Role::After);
    }
}

fn hooks() -> impl Iterator<Item = &'static Hook> {
    inventory::iter::<Hook>.into_iter()
}

fn of(suite: &str, role: Role) -> impl Iterator<Item = &'static Hook> {
    hooks().filter(move |hook| hook.module == suite && hook.role == role)
}

fn run(suite: &str, role: Role) {
    of(suite, role).for_each(|hook| (hook.run)());
}

fn undo_by(suite: &str, role: Role) {
    let all = of(suite, role).map(|hook| Box::new(hook.run) as Undo);
    UNDO.with_borrow_mut(|undo| undo.extend(all));
}

/// Notes that a value is to be torn down and dropped after the test.
pub(crate) fn torn_down<F: Make>(value: &Rc<F::Value>) {
    let value = Rc::clone(value);
    let undo = Box::new(move || {
        let torn_down = caught(|| must_succeed(F::PATH, || F::tear_down(&value)));
        drop(value);
        fixtures::forget::<F>();
        if let Err(payload) = torn_down {
            resume_unwind(payload);
        }
    });
    UNDO.with_borrow_mut(|all| all.push(undo));
}

/// Undoes all, even if some fails, and gives the first failure.
fn undo() -> Result<(), Payload> {
    let mut result = Ok(());
    // what undoes may note more
    while let Some(undo) = UNDO.with_borrow_mut(Vec::pop) {
        let undone = caught(undo);
        result = result.and(undone);
    }
    result
}

/// Runs a function of this path.
///
/// # Panics
/// If it returns an error.
pub fn must_succeed(path: &str, run: impl FnOnce() -> Result<(), String>) {
    if let Err(error) = run() {
        panic!("{path} failed: {error}");
    }
}

fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Payload> {
    catch_unwind(AssertUnwindSafe(run))
}

/// How something ended that is computed once in the process.
enum Outcome {
    /// With a value, as CBOR.
    Value(Vec<u8>),
    Skipped(String),
    Failed(String),
}

/// A value that the first who asks computes for all.
///
/// # Panics
/// For each who asks, if it could not be computed.
pub(crate) fn computed_once<F: Make>() -> F::Value
where
    F::Value: Travels,
{
    static ALL: Mutex<Option<HashMap<TypeId, Arc<OnceLock<Outcome>>>>> = Mutex::new(None);
    let once = {
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        let all = all.get_or_insert_default();
        Arc::clone(all.entry(TypeId::of::<F>()).or_default())
    };
    let made = once.get_or_init(|| match caught(F::make) {
        Ok(Ok(value)) => {
            let cbor = fixtures::to_cbor(F::PATH, &value);
            // it stands until the process ends, and is never torn down
            std::mem::forget(value);
            match cbor {
                Ok(cbor) => Outcome::Value(cbor),
                Err(error) => Outcome::Failed(error),
            }
        }
        Ok(Err(error)) => Outcome::Failed(error),
        Err(payload) => match payload.downcast::<Skip>() {
            Ok(skip) => Outcome::Skipped(skip.0),
            Err(payload) => Outcome::Failed(message(&*payload)),
        },
    });
    let failed = |error: &str| -> ! { panic!("{} failed: {error}", F::PATH) };
    match made {
        Outcome::Value(cbor) => {
            fixtures::of_cbor(F::PATH, cbor).unwrap_or_else(|error| failed(&error))
        }
        Outcome::Skipped(reason) => elsewhere::skip(reason),
        Outcome::Failed(error) => failed(error),
    }
}

fn message(payload: &dyn Any) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "it panicked".to_owned())
}

/// The value of a host fixture, from the environment: in a component the runner puts it
/// there for the tests that are bound to it, natively there is nobody who does.
///
/// # Panics
/// If there is none that can be read.
pub(crate) fn host_value<T: Arrives>(path: &str, name: &str) -> T {
    let variable = variable(name);
    let json =
        std::env::var(&variable).unwrap_or_else(|_| panic!("{path}: {}", missing(name, &variable)));
    serde_json::from_str(&json).unwrap_or_else(|error| {
        panic!("{path}: the value of the host fixture `{name}` ({variable}) does not fit: {error}")
    })
}

/// Why there is no value, and what to do.
fn missing(name: &str, variable: &str) -> String {
    // wasm is run by some runner, and only natively it is known that there is none
    if cfg!(target_family = "wasm") {
        let test = elsewhere::test_id();
        format!(
            "this test is not bound to the host fixture `{name}`: wasmtest.toml describes it in a \
             table [fixture.{name}], with a `command`, and binds tests to it that ask for it by \
             name and those in its list `tests = [{test:?}]` (where wasmtest does not run this, \
             set {variable} to the value as JSON)"
        )
    } else {
        format!(
            "the host fixture `{name}` is started by `wasmtest run` for tests on wasm; here, \
             natively, set {variable} to its value as JSON"
        )
    }
}

fn variable(name: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = name.chars().map(allowed).collect();
    format!("WASMTEST_FIXTURE_{}", name.to_ascii_uppercase())
}
