//! The sandbox: an engine, and for each test a store with exactly what was granted.
//!
//! Knows wasmtime and grants, not tests. Default deny: a guest sees the
//! environment, arguments and folders that it is given here, an empty stdin,
//! no sockets, and nothing else of the host.

mod access;
pub mod backstop;
pub mod call;
pub mod call_result;
pub mod capture;
pub mod clock;
mod copies;
pub mod deadline;
pub mod engine;
pub mod file_length;
pub mod grants;
pub mod guest;
mod guest_code;
mod hostcall;
mod hosts;
mod interruptible_poll;
mod limits;
mod linker;
mod listing;
pub mod live;
mod load;
mod mapped;
mod own_thread;
pub mod process_id;
pub mod program;
mod quota;
mod reach;
pub mod scratch;
pub mod sdk;
mod shared_memory;
pub mod single;
pub mod snapshot;
pub mod stand_ins;
mod state;
mod stdin;
mod stubs;
pub(crate) mod symbols;
pub mod told;
