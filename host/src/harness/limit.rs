//! What is said of a guest that reached a limit: here, and nowhere else.

use crate::event::{Cause, Outcome};
use crate::protocol::LimitOf;
use crate::text::size;
use std::time::Duration;

/// What is said of a guest that was stopped at its limit, and of who set that.
pub fn passed(limit: Duration, of: Option<LimitOf>) -> Cause {
    let cause = Cause::new(format!("stopped at its limit of {}s", limit.as_secs_f64()));
    match of {
        None => cause,
        Some(LimitOf::Default) => cause.hint(
            "that is the limit where none is given: --process-timeout SECONDS, or WASMTEST_PROCESS_TIMEOUT, allows more",
        ),
        Some(LimitOf::Flag) => cause.hint("--process-timeout has set that limit"),
        Some(LimitOf::Variable) => cause
            .hint("WASMTEST_PROCESS_TIMEOUT, which stands for --process-timeout, has set that limit"),
        Some(LimitOf::Test) => cause.hint(
            "that limit is the test's own, by its mark `timeout`; --process-timeout can only lower it",
        ),
    }
}

/// What is said of a run that has taken as long as it may.
pub fn of_the_run(limit: Duration) -> String {
    format!(
        "the run had taken {}s, which is its limit (--run-timeout)",
        limit.as_secs_f64()
    )
}

/// What is said, as [`passed`] does, of a test that could not be stopped in its guest, so that its worker was given up.
/// It did not come back from this function of the host's, if that is known.
pub fn passed_in_the_host(limit: Duration, of: LimitOf, call: Option<&str>) -> Cause {
    let mut cause = passed(limit, Some(of));
    let from = match call {
        Some(name) => format!("a call of {name} in the host"),
        None => "a call into the host, or from one large instruction".to_owned(),
    };
    let told = format!("; it did not come back from {from}, so its worker was given up");
    cause.message.push_str(&told);
    cause
}

/// A limit that a guest reached: it asked for more than it may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitHit {
    /// Its memories, tables and heap may be so large together, in bytes.
    Memory {
        limit: u64,
        used: u64,
        asked: u64,
        of: MemoryLimitOf,
    },
    /// The limit left it room, and the machine did not.
    Machine {
        used: u64,
        asked: u64,
        /// In the system's words.
        why: String,
    },
    /// Its tables may have so many elements together.
    TableElements { limit: u64, asked: u64 },
    /// It may have so many files and folders open.
    OpenFiles { limit: u64 },
    /// It may write so many bytes to a stream.
    Output { limit: u64 },
    /// It may be made of so many core instances.
    Instances { limit: u64 },
}

/// Who set a limit of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryLimitOf {
    /// The run.
    Run,
    /// The test, by its mark.
    Test,
}

impl LimitHit {
    /// What is said of it, and what to do.
    pub fn cause(&self) -> Cause {
        match self {
            LimitHit::Memory {
                limit,
                used,
                asked,
                of,
            } => {
                let asked = size(*asked);
                let cause = Cause::new(match used {
                    0 => format!("out of memory: it asks for {asked}, and may have {}", size(*limit)),
                    _ => format!(
                        "out of memory: it has {} of the {} that it may have, and asked for {asked} more",
                        size(*used),
                        size(*limit)
                    ),
                });
                cause.hint(match of {
                    MemoryLimitOf::Run => {
                        "its memories, tables and heap count together: --max-memory SIZE allows more"
                    }
                    MemoryLimitOf::Test => "that limit is the test's own, by its mark `max_memory`",
                })
            }
            LimitHit::Machine { used, asked, why } => Cause::new(format!(
                "out of memory: it has {}, and the machine has no {} more for it: {why}",
                size(*used),
                size(*asked)
            ))
            .hint("fewer tests at once leave more for each: --processes N"),
            LimitHit::TableElements { limit, asked } => Cause::new(format!(
                "out of table elements: its tables may have {limit} together, and it asked for {asked}"
            ))
            .hint("--max-table-elements N allows more"),
            LimitHit::OpenFiles { limit } => Cause::new(format!(
                "it has {limit} files and folders open, and may have no more"
            ))
            .hint("--max-open-files N allows more"),
            LimitHit::Output { limit } => Cause::new(format!(
                "it wrote more than {} to stdout or stderr, and was stopped",
                size(*limit)
            ))
            .hint("--max-output SIZE allows more"),
            LimitHit::Instances { limit } => Cause::new(format!(
                "it is made of more than {limit} instances, memories or tables"
            ))
            .hint("--max-instances N allows more"),
        }
    }

    /// Whether it is memory that was refused.
    pub fn is_memory(&self) -> bool {
        matches!(self.outcome(), Outcome::OutOfMemory(_))
    }

    /// How a guest ends that could not go on for it.
    pub fn outcome(&self) -> Outcome {
        let cause = self.cause();
        match self {
            LimitHit::Memory { .. } | LimitHit::Machine { .. } | LimitHit::TableElements { .. } => {
                Outcome::OutOfMemory(cause)
            }
            LimitHit::OpenFiles { .. } | LimitHit::Output { .. } | LimitHit::Instances { .. } => {
                Outcome::Errored(cause)
            }
        }
    }
}
