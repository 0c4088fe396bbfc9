//! The system's own limit behind that of the store: for a worker that is a process.
//!
//! [`super::limits`] counts what a guest takes by wasmtime's word. Should that ever miss
//! something (the growth of shared memories, for one), the system stops the process where it
//! has mapped what it needs itself, and what the guest may have. What it needs itself is what it
//! has while no guest runs: slots of the pool keep what guests of theirs had mapped, emptied, so
//! that is looked at again after each guest that had much.

use crate::protocol::GuestLimits;
use crate::resources;

/// What a worker may need beside its guests', as it reads debug information and hands over
/// results, in bytes.
const HEADROOM: u64 = 1 << 30;
/// A guest that had no more than this changes nothing that matters, in bytes: so that ordinary
/// tests cost nothing here.
const MUCH: u64 = 64 << 20;
/// Beyond this a memory moves as it grows, and is there twice meanwhile, in bytes.
const MOVES: u64 = 4 << 30;

/// Files that a worker has open itself, at most.
const OWN_FILES: u64 = 256;

/// Whether the system limits this process, and to what its guests may have.
pub struct Backstop {
    /// What guests may have, in bytes; `None` if the system is not asked.
    memory: Option<u64>,
    /// How many files guests may have open, where the process is to have room for them.
    open_files: Option<u64>,
}

impl Backstop {
    /// None: what runs beside others in one process has no limit of its own.
    pub fn none() -> Backstop {
        Backstop {
            memory: None,
            open_files: None,
        }
    }

    /// For a process that runs guests with these limits.
    pub fn of_this_process(limits: &GuestLimits) -> Backstop {
        Backstop {
            memory: limits.memory.map(|memory| match memory > MOVES {
                true => memory.saturating_mul(2),
                false => memory,
            }),
            open_files: limits.open_files,
        }
    }

    /// To be called when the process is ready, and after each call of a guest that had so many
    /// bytes.
    pub(super) fn set(&self, had: u64) {
        if let Some(memory) = self.memory.filter(|_| had > MUCH)
            && let Some(own) = resources::data()
        {
            let all = own.saturating_add(memory).saturating_add(HEADROOM);
            // the store's limit stands where the system knows no such thing
            let _ = resources::limit_data(all);
        }
    }

    /// The same once the process has got more of its own.
    pub(super) fn look_again(&self) {
        self.set(u64::MAX);
    }

    /// The same before the first guest.
    pub(super) fn begin(&self) {
        self.look_again();
        if let Some(open) = self.open_files {
            // where the system allows less, it says so to whoever opens too many
            let _ = resources::allow_open_files(open.saturating_add(OWN_FILES));
        }
    }
}
