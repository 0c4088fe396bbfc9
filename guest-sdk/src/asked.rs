//! A fixture's value where it is asked for: the one that is kept, or a new one.

use crate::fixtures::{Arrives, Fixture, Make, Travels, keep, kept};
#[cfg(not(all(target_os = "wasi", target_env = "p1")))]
use crate::suites;
use std::rc::Rc;

/// The value of a fixture that each test has for itself.
pub fn own<F: Make>() -> Rc<F::Value> {
    if let Some(value) = kept::<F>() {
        return value;
    }
    let value = match F::make() {
        Ok(value) => keep::<F>(value),
        Err(error) => panic!("{} failed: {error}", F::PATH),
    };
    #[cfg(not(all(target_os = "wasi", target_env = "p1")))]
    suites::torn_down::<F>(&value);
    value
}

/// The value of a fixture that is computed once for all tests.
pub fn shared<F: Make>() -> Rc<F::Value>
where
    F::Value: Travels,
{
    // the runner gives it to the instance; if it did not, the instance makes it
    #[cfg(all(target_os = "wasi", target_env = "p1"))]
    return own::<F>();
    #[cfg(not(all(target_os = "wasi", target_env = "p1")))]
    kept::<F>().unwrap_or_else(|| keep::<F>(suites::computed_once::<F>()))
}

/// The value of the host fixture of this name in `wasmtest.toml`.
pub fn from_host<F: Fixture>(name: &str) -> Rc<F::Value>
where
    F::Value: Arrives,
{
    if let Some(value) = kept::<F>() {
        return value;
    }
    #[cfg(all(target_os = "wasi", target_env = "p1"))]
    panic!(
        "{}: the runner gave no value of the host fixture `{name}`",
        F::PATH
    );
    #[cfg(not(all(target_os = "wasi", target_env = "p1")))]
    keep::<F>(suites::host_value(F::PATH, name))
}
