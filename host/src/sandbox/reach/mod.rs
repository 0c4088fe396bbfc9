//! Reaches a guest in the middle of its own code, where that can be.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod by_signal;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod frames;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod functions;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod nowhere;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(super) use by_signal::{AVAILABLE, GuestThread, is_in_the_host};
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(super) use functions::Functions;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub(super) use nowhere::{AVAILABLE, Functions, GuestThread, is_in_the_host};

/// How a guest has answered.
#[derive(Default)]
pub(super) struct Answered {
    /// Whether it was made to trap.
    pub(super) caught: bool,
    /// Where it was seen, innermost first.
    pub(super) seen_at: Vec<usize>,
}
