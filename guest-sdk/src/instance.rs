//! What the exports of an instance do for the runner: run a test, a hook or a fixture,
//! and hand values over.
//!
//! The runner calls them one after the other, as many as it likes. Values are passed
//! as the addresses of memory that stays until the next one is passed.

use crate::fixtures::{self, Arrives, Fixture, Make, Travels};
use std::cell::RefCell;
use std::fmt::Display;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Where the value lies that was made last; its address is exported.
#[repr(C)]
pub struct Sent {
    /// Where it begins.
    address: AtomicUsize,
    /// How many bytes it has.
    length: AtomicUsize,
}

#[unsafe(export_name = "wasmtest-value")]
pub static SENT: Sent = Sent {
    address: AtomicUsize::new(0),
    length: AtomicUsize::new(0),
};

thread_local! {
    /// The CBOR of the value that was made last.
    static SENDING: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// Memory for the runner to fill.
    static RECEIVING: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Makes the instance ready, if this is the first call.
fn prepare() {
    static READY: AtomicBool = AtomicBool::new(false);
    unsafe extern "C" {
        fn __wasm_call_ctors();
    }
    if !READY.swap(true, Ordering::Relaxed) {
        // SAFETY: the linker makes this function; it takes and gives nothing, and
        // must be called once, before anything else: the runner calls nothing but
        // exports that come by here, and the instance has one thread.
        unsafe { __wasm_call_ctors() };
        crate::panics::tell_the_runner();
    }
}

/// Runs something: 0 it went well, 1 it returned an error, which is on stderr.
fn run<E: Display>(it: impl FnOnce() -> Result<(), E>) -> i32 {
    prepare();
    let result = it();
    if let Err(error) = &result {
        eprintln!("Error: {error}");
    }
    let _ = std::io::stdout().flush();
    i32::from(result.is_err())
}

/// Runs a test.
pub fn run_test<T: crate::__private::Returned>(test: fn() -> T) -> i32 {
    prepare();
    let passed = test().passed();
    let _ = std::io::stdout().flush();
    i32::from(!passed)
}

/// Runs a hook that gives no value.
pub fn run_hook(hook: fn() -> Result<(), String>) -> i32 {
    run(hook)
}

/// Makes the value of a fixture or a setup, and keeps it.
pub fn make<F: Make>() -> i32 {
    run(|| F::make().map(|value| drop(fixtures::keep::<F>(value))))
}

/// Makes the value of a fixture or a setup, keeps it, and shows it to the runner.
pub fn make_and_send<F: Make>() -> i32
where
    F::Value: Travels,
{
    run(|| {
        let value = fixtures::keep::<F>(F::make()?);
        let cbor = fixtures::to_cbor(F::PATH, &*value)?;
        SENT.address
            .store(cbor.as_ptr() as usize, Ordering::Relaxed);
        SENT.length.store(cbor.len(), Ordering::Relaxed);
        SENDING.set(cbor);
        Ok::<_, String>(())
    })
}

/// With a length, makes room for as many bytes and says where; with -1, takes what is
/// there as the fixture's value and says 0 if it is one.
pub fn receive<F: Fixture>(length: i32) -> i32
where
    F::Value: Arrives,
{
    prepare();
    if let Ok(length) = usize::try_from(length) {
        let room = vec![0; length];
        // the runner writes there, before it calls again
        let address = room.as_ptr().expose_provenance();
        RECEIVING.set(room);
        return address as i32;
    }
    run(|| {
        let cbor = std::hint::black_box(RECEIVING.take());
        let value = fixtures::of_cbor(F::PATH, &cbor)?;
        fixtures::keep::<F>(value);
        Ok::<_, String>(())
    })
}

/// Drops the value of a fixture or a setup.
pub fn drop_value<F: Fixture>() -> i32 {
    run(|| {
        fixtures::forget::<F>();
        Ok::<_, String>(())
    })
}

/// Tears a fixture down.
pub fn tear_down<F: Make>() -> i32 {
    run(|| F::tear_down(&F::get()))
}
