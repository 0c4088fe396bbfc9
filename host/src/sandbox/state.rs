//! What a store carries: a guest's context of WASI, and what is noted while it runs.

use super::access::Watch;
use super::capture::Stream;
use super::clock::Clock;
use super::deadline::Guard;
use super::limits::Limits;
use super::listing::kept::Listings;
use super::quota::Account;
use super::told::Listener;
use crate::event::{Attachment, written};
use crate::harness::termination::StackFrame;
use crate::protocol::GuestLimits;
use std::time::Duration;
use wasmtime::Memory;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{WasiCtxBuilder, WasiCtxView, WasiView};

/// What a store carries.
pub struct State {
    wasi: WasiP1Ctx,
    /// Whether the guest has called any function that takes a path.
    pub touched_files: bool,
    /// Whether it has looked for folders and found that there is none.
    pub found_no_folder: bool,
    /// What it has been told of folders.
    pub(super) listings: Listings,
    /// What it holds, and may hold.
    pub(super) limits: Limits,
    /// What the SDK's host functions need and gather.
    pub report: Report,
    /// Who stops the guest, for functions in which it waits.
    pub guard: Guard,
    /// Its monotonic clock, the same that its context has.
    pub(super) clock: Clock,
    /// What was refused to it.
    pub(super) watch: Watch,
    /// What it writes to its own folders.
    pub(super) account: Account,
    /// Its stdout and stderr, as long as the descriptors 1 and 2 are these.
    pub(super) output: Option<(Stream, Stream)>,
    /// The guest's memory, once it has written to one of these: a store is one program's.
    pub(super) writes_from: Option<Memory>,
    /// What it is told as its process's id.
    pub(super) process_id: u32,
    /// Its stack when it was looked at, if it ran for so long.
    pub(super) seen_at: Vec<StackFrame>,
    /// Who listens to what is told of a panic, if anybody has to know.
    pub(super) listener: Option<Box<Listener>>,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.ctx()
    }
}

impl State {
    /// WASI's part, for functions put in front of wasmtime's.
    pub fn wasi(&mut self) -> &mut WasiP1Ctx {
        &mut self.wasi
    }

    /// WASI's part, where refusals are noted, what it writes, whether files were touched, and
    /// what may be held, at once.
    pub(super) fn parts(
        &mut self,
    ) -> (
        &mut WasiP1Ctx,
        &mut Watch,
        &mut Account,
        &mut bool,
        &mut Limits,
    ) {
        let State {
            wasi,
            watch,
            account,
            touched_files,
            limits,
            ..
        } = self;
        (wasi, watch, account, touched_files, limits)
    }

    /// A descriptor becomes another one, or none.
    pub(super) fn is_moved(&mut self, descriptor: i32) {
        if matches!(descriptor, 1 | 2) {
            self.output = None;
        }
    }

    /// Whether the guest may open one more file.
    pub(super) fn has_room_for_a_file(&mut self) -> bool {
        self.limits.have_room_for_a_file(self.wasi.ctx().table)
    }

    /// A state that reaches nothing, for looking at a module.
    pub fn nothing() -> State {
        let clock = Clock::showing(Duration::ZERO);
        State::new(WasiCtxBuilder::new().build_p1(), clock, Watch::default(), 0)
    }

    /// A state in which nothing has happened yet; `clock` is that of `wasi`.
    pub(super) fn new(wasi: WasiP1Ctx, clock: Clock, watch: Watch, process_id: u32) -> State {
        State {
            wasi,
            touched_files: false,
            found_no_folder: false,
            listings: Listings::default(),
            limits: Limits::new(GuestLimits::OF_PROGRAMS),
            report: Report::default(),
            guard: Guard::default(),
            clock,
            watch,
            account: Account::default(),
            output: None,
            writes_from: None,
            process_id,
            seen_at: Vec::new(),
            listener: None,
        }
    }
}

/// What one test may log and attach altogether, in bytes of a report: names and escapes count.
pub(super) const MAX_BYTES: usize = 16 << 20;
/// What a line of log is written with beside its text, in bytes.
const AROUND: usize = 4;
/// How often it may.
const MAX_ENTRIES: usize = 10_000;

/// What the SDK's functions need of a test and gather from it.
#[derive(Debug, Default)]
pub struct Report {
    pub test_id: String,
    /// Whether the guest has asked for either of the two.
    pub asked_for_test: bool,
    /// Which attempt at it this is, from 1; 0 counts as 1.
    pub attempt: u32,
    /// What it logged.
    pub logs: Vec<String>,
    /// What it attached.
    pub attachments: Vec<Attachment>,
    bytes: usize,
}

impl Report {
    /// Another test begins in the instance: what it may hand over is its own.
    pub fn begin(&mut self, id: &str) {
        id.clone_into(&mut self.test_id);
        self.bytes = 0;
    }

    /// Before anything is copied: whether there is room for so many bytes.
    pub(super) fn ask_for(&self, bytes: usize) -> wasmtime::Result<()> {
        let all = self.bytes.saturating_add(bytes);
        let entries = self.logs.len() + self.attachments.len();
        if all > MAX_BYTES || entries >= MAX_ENTRIES {
            return Err(Refused(match all > MAX_BYTES {
                true => format!(
                    "the test logs and attaches more than {} MiB, as a report has it: names and escapes count",
                    MAX_BYTES >> 20
                ),
                false => format!("the test logs and attaches more than {MAX_ENTRIES} times"),
            })
            .into());
        }
        Ok(())
    }

    /// Keeps a line of log.
    pub(super) fn log(&mut self, text: String) -> wasmtime::Result<()> {
        let bytes = AROUND + written(&text);
        self.ask_for(bytes)?;
        self.bytes += bytes;
        self.logs.push(text);
        Ok(())
    }

    /// Keeps an attachment.
    pub(super) fn attach(&mut self, attachment: Attachment) -> wasmtime::Result<()> {
        let bytes = attachment.written();
        self.ask_for(bytes)?;
        self.bytes += bytes;
        self.attachments.push(attachment);
        Ok(())
    }
}

/// The test asked for what it does not get.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// The test asked to be skipped.
#[derive(Debug, thiserror::Error)]
#[error("skipped: {0}")]
pub struct Skipped(pub String);
