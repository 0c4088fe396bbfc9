//! How the runner learns of a panic: by memory that it can read after the abort.
//!
//! What stands on stderr proves nothing, since any code can write it.

use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where the message of the last panic lies; its address is exported.
#[repr(C)]
pub struct Panicked {
    /// Where it begins; 0 as long as nothing has panicked.
    address: AtomicUsize,
    /// How many bytes it has.
    length: AtomicUsize,
}

#[unsafe(export_name = "wasmtest-panicked")]
pub static PANICKED: Panicked = Panicked {
    address: AtomicUsize::new(0),
    length: AtomicUsize::new(0),
};

/// From now on every panic leaves its message, and is printed as before.
pub fn tell_the_runner() {
    let printed = take_hook();
    set_hook(Box::new(move |info| {
        let message = String::leak(message(info));
        PANICKED.length.store(message.len(), Ordering::Relaxed);
        PANICKED
            .address
            .store(message.as_ptr() as usize, Ordering::Relaxed);
        printed(info);
    }));
}

fn message(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_default()
}
