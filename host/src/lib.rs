//! The library behind the `wasmtest` command: a test runner for WebAssembly.
//!
//! A run flows one way: discover which modules and tests there are (`module`, `harness`),
//! put them in order (`plan`), hand them to worker processes (`primary`), run
//! each in a store of its own (`worker`, in a `sandbox`), and report (`report`,
//! from `event`s alone). See ARCHITECTURE.md.

#![warn(missing_docs)]

mod cargo;
mod cli;
mod config;
pub mod entry;
mod event;
mod exec;
mod exit;
mod grant;
mod guardian;
mod harness;
mod instrument;
mod layout;
mod module;
mod paths;
mod plan;
mod primary;
mod protocol;
mod report;
mod resources;
mod runner;
mod sandbox;
mod settings;
mod signal;
mod temporary;
mod text;
mod worker;

/// Parts that this package's own tests and examples look at, and nobody else is to rely on.
#[doc(hidden)]
pub mod inside {
    pub use crate::harness::hints::HINTS;
    pub use crate::instrument::direct;
    pub use crate::instrument::gaps::{self, Gaps};
    pub use crate::instrument::strip::strip;
    pub use crate::instrument::{OffsetMap, PassOutput, RewriteFacts, rewrite};
    pub use crate::module::identify::identify;
    pub use crate::protocol::{Compiler, Globals};
    pub use crate::sandbox::engine;
    pub use crate::sandbox::snapshot::{Replayed, SnapshotImage};

    use crate::protocol::{CompileJob, CompileResult, FromWorker, ToWorker};
    use crate::protocol::{read_frame, write_frame};

    /// Reads a stream as the protocol's messages of one kind, until one is none.
    ///
    /// # Panics
    /// If a message that was read is not the same once it is written and read again.
    pub fn read_messages(kind: u8, stream: &[u8]) {
        match kind % 4 {
            0 => read_again::<FromWorker>(stream),
            1 => read_again::<ToWorker>(stream),
            2 => read_again::<CompileResult>(stream),
            _ => read_again::<CompileJob>(stream),
        }
    }

    fn read_again<M: serde::Serialize + serde::de::DeserializeOwned>(mut stream: &[u8]) {
        let write = |message: &M| {
            let mut frame = Vec::new();
            let written = write_frame(&mut frame, message);
            written.expect("a message that was read can be written");
            frame
        };
        while let Ok(Some(message)) = read_frame::<M>(&mut stream) {
            let frame = write(&message);
            let again = read_frame::<M>(&mut frame.as_slice());
            let again = again.expect("what is written can be read");
            assert_eq!(frame, write(&again.expect("a message")));
        }
    }
}
