//! Values that tests, hooks and other fixtures ask for by name: what one is, and where it
//! is kept.
//!
//! In an instance of the runner a value is kept until the instance ends. Everywhere
//! else it is kept as long as the test runs that asked first, and what is shared is
//! computed once in the process and, as in the runner, given to each test as what
//! its CBOR says. No value is ever handed from one thread to another.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::fmt::Debug;
use std::rc::Rc;

/// A fixture: implemented by an item among the types that is called as it is.
#[diagnostic::on_unimplemented(
    message = "there is no fixture `{Self}`",
    label = "a parameter is the name of a fixture, and this is none",
    note = "a fixture is a function marked #[wasmtest::fixture], or a #[wasmtest::setup] with a value"
)]
pub trait Fixture: 'static {
    /// The type of its value.
    type Value: 'static;
    /// Its path, its crate's name first.
    const PATH: &'static str;
    /// Whether it is computed once for all.
    const SHARED: bool;
    /// Whether each test that asks for it has one of its own.
    const OF_ONE_TEST: bool;
    /// How many fixtures stand one on the other, with this on top: a circle of them
    /// has no such number, and the compiler says so.
    const DEPTH: usize;

    /// Its value, computed if need be.
    ///
    /// # Panics
    /// If it cannot be computed.
    fn get() -> Rc<Self::Value>;

    /// Makes those of the values behind it, its own among them, that are not one test's own:
    /// they are made before any that is.
    ///
    /// # Panics
    /// If one cannot be computed.
    fn ahead();
}

/// The fixtures that a function has for parameters.
#[derive(Clone, Copy)]
pub struct Needs {
    /// Makes what they need that is not one test's own.
    pub ahead: fn(),
    /// Makes them.
    pub make: fn(),
}

/// A fixture that is made by a function.
pub trait Make: Fixture {
    /// Makes the value, or says why not.
    fn make() -> Result<Self::Value, String>;

    /// Tears it down, or says why not.
    fn tear_down(_: &Self::Value) -> Result<(), String> {
        Ok(())
    }
}

/// What a value must be that goes from one instance to others.
#[diagnostic::on_unimplemented(
    message = "the value of a shared fixture goes to its tests as CBOR, and `{Self}` cannot",
    note = "derive serde's `Serialize` and `Deserialize` for it, with nothing borrowed in it"
)]
pub trait Travels: Serialize + DeserializeOwned + 'static {}

impl<T: Serialize + DeserializeOwned + 'static> Travels for T {}

/// What a value must be that the host or another instance gives.
#[diagnostic::on_unimplemented(
    message = "the value of a host fixture comes to its tests as CBOR, and `{Self}` cannot",
    note = "derive serde's `Deserialize` for it, with nothing borrowed in it"
)]
pub trait Arrives: DeserializeOwned + 'static {}

impl<T: DeserializeOwned + 'static> Arrives for T {}

/// What a hook may return.
#[diagnostic::on_unimplemented(
    message = "a hook returns nothing or a `Result<(), E>`, not `{Self}`",
    label = "the hook returns this",
    note = "`E` is anything that implements `Debug`; only a setup may return a value"
)]
pub trait Done {
    /// Whether it went well, or what its error says.
    fn done(self) -> Result<(), String>;
}

impl Done for () {
    fn done(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: Debug> Done for Result<(), E> {
    fn done(self) -> Result<(), String> {
        fallible(self)
    }
}

/// A result with what its error says.
pub fn fallible<T, E: Debug>(result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| format!("{error:?}"))
}

/// The greater of two depths.
pub const fn deeper(one: usize, other: usize) -> usize {
    if one > other { one } else { other }
}

/// Values by the fixture that they are of, in the order in which they were made.
#[derive(Default)]
pub(crate) struct Kept(Vec<(TypeId, Rc<dyn Any>)>);

impl Kept {
    fn get<F: Fixture>(&self) -> Option<Rc<F::Value>> {
        let of_this = |(id, _): &&(TypeId, Rc<dyn Any>)| *id == TypeId::of::<F>();
        let (_, value) = self.0.iter().find(of_this)?;
        Rc::clone(value).downcast().ok()
    }
}

impl Drop for Kept {
    /// What was made last may stand on what was made before it.
    fn drop(&mut self) {
        while self.0.pop().is_some() {}
    }
}

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
}

/// The value of this fixture, if there is one.
pub(crate) fn kept<F: Fixture>() -> Option<Rc<F::Value>> {
    KEPT.with_borrow(Kept::get::<F>)
}

/// Keeps a value, in place of that which there was.
pub(crate) fn keep<F: Fixture>(value: F::Value) -> Rc<F::Value> {
    let value = Rc::new(value);
    let before = KEPT.with_borrow_mut(|kept| {
        let before = kept.0.iter().position(|(id, _)| *id == TypeId::of::<F>());
        let before = before.map(|at| kept.0.remove(at));
        kept.0.push((TypeId::of::<F>(), Rc::clone(&value) as _));
        before
    });
    // its destructor may ask for others
    drop(before);
    value
}

/// Takes the value of this fixture away, if there is one.
pub(crate) fn forget<F: Fixture>() {
    let value = KEPT.with_borrow_mut(|kept| {
        let at = kept.0.iter().position(|(id, _)| *id == TypeId::of::<F>());
        at.map(|at| kept.0.remove(at))
    });
    // its destructor may ask for others
    drop(value);
}

/// Puts other values in the place of all that there are, and gives them.
#[cfg(not(all(target_os = "wasi", target_env = "p1")))]
pub(crate) fn replace(values: Kept) -> Kept {
    KEPT.replace(values)
}

/// A value as CBOR.
pub(crate) fn to_cbor<T: Travels>(path: &str, value: &T) -> Result<Vec<u8>, String> {
    let mut cbor = Vec::new();
    ciborium::into_writer(value, &mut cbor)
        .map_err(|error| format!("the value of {path} cannot be written as CBOR: {error}"))?;
    Ok(cbor)
}

/// The value that is written as this CBOR.
pub(crate) fn of_cbor<T: Arrives>(path: &str, cbor: &[u8]) -> Result<T, String> {
    ciborium::from_reader(cbor)
        .map_err(|error| format!("the value of {path} cannot be read from CBOR: {error}"))
}
