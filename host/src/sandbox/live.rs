//! An instance that stays: fixtures and tests are called in it one after the other.
//!
//! For units, whose tests share a store, for tests whose fixtures are replayed,
//! and for shared fixtures, whose instance lives to the end of the run. Where its module was
//! rewritten, the state in which it stands can be taken, and others can begin there.

use super::call::Call;
use super::call_result::{CallResult, Seen, pointed_to};
use super::capture::Stream;
use super::clock::Clock;
use super::deadline::AtInterrupt;
use super::guest::Sandbox;
use super::guest_code::GuestCode;
use super::load::module_of;
use super::program::{Made, Program, ProgramKind, Rewritten};
use super::snapshot::{Replayed, SnapshotImage, StateParts};
use super::state::{Refused, State};
use crate::harness::termination::Termination;
use crate::instrument::{PAGE, global_export};
use crate::protocol::{Beside, StateForm};
use std::fs::File;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use wasmtest_section::{RECEIVE_PREFIX, VALUE};
use wasmtime::{Global, Store, Val};

/// How long a value may be that travels.
pub const MAX_VALUE: usize = 16 << 20;

/// An instance and its store.
pub struct Live {
    store: Store<State>,
    made: Made,
    code: Arc<GuestCode>,
    streams: (Stream, Stream),
    touched_files: bool,
    /// Where the guest's own stack begins, if its module shows that.
    stack_pointer: Option<(Global, Val)>,
}

/// How one call in an instance is made.
#[derive(Clone, Copy)]
pub struct Guarded {
    /// When it is stopped.
    pub timeout: Duration,
    /// What an interrupt means for it.
    pub at_interrupt: AtInterrupt,
    /// How much memory it may use, in bytes.
    pub max_memory: Option<u64>,
}

/// A state that was taken, kept where it was taken until it can be mapped.
pub struct CapturedMemory {
    /// The memory's bytes.
    memory: Vec<u8>,
    beside: Beside,
}

/// Where an instance begins.
pub enum Beginning<'a> {
    /// Where its module does.
    Module,
    /// From a state that was taken here.
    Captured(&'a CapturedMemory),
    /// From a state that is mapped.
    Mapped(&'a MappedSnapshot),
}

/// A state that is mapped.
pub struct MappedSnapshot {
    replay: Rc<SnapshotImage<State>>,
    /// What the monotonic clock showed.
    clock: Duration,
}

impl Beginning<'_> {
    /// What the monotonic clock showed there.
    fn clock(&self) -> Option<Duration> {
        match self {
            Beginning::Module => None,
            Beginning::Captured(taken) => Some(taken.beside.clock),
            Beginning::Mapped(snapshot) => Some(snapshot.clock),
        }
    }
}

impl Sandbox {
    /// Makes an instance, and calls nothing in it yet.
    ///
    /// # Errors
    /// How its start came back, if it did not.
    pub fn open(
        &mut self,
        program: &Program,
        call: &Call<'_>,
        beginning: &Beginning<'_>,
    ) -> Result<Live, Box<CallResult>> {
        // a replayed test goes on where its setup ended: what it was given time for has not passed
        let clock = beginning
            .clock()
            .map_or_else(|| self.clock(), Clock::showing);
        let mut store = self.store(program, call, clock)?;
        let mut done = None;
        let stop = AtInterrupt::Stop;
        let result = self.deadline.during(&program.code, call.timeout, stop, || {
            let made = done.insert(match beginning {
                Beginning::Mapped(snapshot) => program.begun_at(&snapshot.replay, &mut store)?,
                Beginning::Module | Beginning::Captured(_) => program.instantiate(&mut store)?,
            });
            if let Beginning::Captured(taken) = beginning {
                taken.put(&mut store, made)?;
            }
            Ok(Termination::Returned)
        });
        match (done, &result.result) {
            (Some(made), Some(Ok(_))) => Ok(Live {
                stack_pointer: stack_pointer(&mut store, &made, program),
                store,
                made,
                code: program.code.clone(),
                streams: call.streams.clone(),
                touched_files: false,
            }),
            _ => Err(Box::new(Seen::default().account(
                &mut store,
                result,
                &call.streams,
            ))),
        }
    }

    /// Makes a state that is kept in a file ready to begin from.
    ///
    /// # Errors
    /// In words for the user, if it does not fit the program.
    pub fn map(
        &self,
        program: &Program,
        state: StateForm<File>,
        beside: &Beside,
    ) -> Result<MappedSnapshot, String> {
        let ProgramKind::Rewritten(rewritten) = &program.kind else {
            return Err("its module was not rewritten".to_owned());
        };
        let Rewritten { linker, main, .. } = &**rewritten;
        let replay = match state {
            StateForm::Compiled(artefact) => {
                let state = module_of(&program.engine, artefact)?;
                SnapshotImage::new(linker, main, &state, &beside.globals)
            }
            StateForm::Memory(file) => SnapshotImage::of_file(linker, main, file, &beside.globals),
        };
        replay
            .map(|replay| MappedSnapshot {
                replay: Rc::new(replay),
                clock: beside.clock,
            })
            .map_err(|e| super::engine::chain(&e))
    }

    /// Calls an export that runs something.
    pub fn run_in(&mut self, live: &mut Live, export: &str, how: Guarded) -> CallResult {
        let instance = live.made.instance;
        self.during(live, how, |store, seen| seen.run(store, &instance, export))
    }

    /// Hands a value to the fixture of this path.
    pub fn give(&mut self, live: &mut Live, path: &str, value: &[u8], how: Guarded) -> CallResult {
        let instance = live.made.instance;
        let export = format!("{RECEIVE_PREFIX}{path}");
        self.during(live, how, |store, seen| {
            seen.entered = true;
            let receive = instance.get_typed_func::<i32, i32>(&mut *store, &export)?;
            let length = i32::try_from(value.len())?;
            let at = receive.call(&mut *store, length)? as u32 as usize;
            let memory = instance.get_memory(&mut *store, "memory");
            let written = memory.is_some_and(|m| m.write(&mut *store, at, value).is_ok());
            if !written {
                let why = "the module takes the value of a fixture in memory that it does not have";
                return Err(Refused(why.to_owned()).into());
            }
            seen.returned = Some(receive.call(&mut *store, -1)?);
            Ok(Termination::Returned)
        })
    }

    fn during(
        &mut self,
        live: &mut Live,
        how: Guarded,
        call: impl FnOnce(&mut Store<State>, &mut Seen) -> wasmtime::Result<Termination>,
    ) -> CallResult {
        let store = &mut live.store;
        store.data_mut().limits.set_own(how.max_memory);
        store.set_epoch_deadline(1);
        let mut seen = Seen::default();
        let result = self
            .deadline
            .during(&live.code, how.timeout, how.at_interrupt, || {
                call(store, &mut seen)
            });
        let called = seen.account(store, result, &live.streams);
        self.backstop.set(store.data().limits.used());
        live.touched_files |= called.touched_files();
        called
    }

    /// Makes an instance fit to be called again after a trap: its stack pointer goes
    /// back to where it was. Whether that could be done: a module need not show it.
    pub fn recover(&mut self, live: &mut Live) -> bool {
        let Some((pointer, value)) = &live.stack_pointer else {
            return false;
        };
        pointer.set(&mut live.store, *value).is_ok()
    }

    /// Ends an instance; gives its scratch folder, if it was touched and is to be kept.
    pub fn close(&mut self, mut live: Live, passed: bool) -> Option<PathBuf> {
        live.made.release(&mut live.store);
        let touched = live.touched_files;
        drop(live);
        self.tidy_after(touched, passed)
    }
}

/// The guest's stack pointer and its value.
fn stack_pointer(
    store: &mut Store<State>,
    made: &Made,
    program: &Program,
) -> Option<(Global, Val)> {
    let name = match &program.kind {
        ProgramKind::Rewritten(rewritten) => global_export(rewritten.facts.stack_pointer?),
        ProgramKind::Core(_) | ProgramKind::Component(_) => "__stack_pointer".to_owned(),
    };
    let global = made.instance.get_global(&mut *store, &name)?;
    let value = global.get(&mut *store);
    Some((global, value))
}

impl Live {
    /// The id of the test that runs next in it.
    pub fn set_test(&mut self, id: &str, attempt: u32) {
        let report = &mut self.store.data_mut().report;
        report.begin(id);
        report.attempt = attempt;
    }

    /// Its stdout and stderr.
    pub fn streams(&self) -> &(Stream, Stream) {
        &self.streams
    }

    /// The value that the fixture which ran last has left, as CBOR.
    pub fn value(&mut self) -> Option<Vec<u8>> {
        let Live { store, made, .. } = self;
        pointed_to(store, &made.instance, VALUE, MAX_VALUE + 1)
    }

    /// Takes the state in which it stands; gives it also as a module without code, to be
    /// compiled.
    ///
    /// # Errors
    /// Why that is not all of its state, or cannot be taken: for the user.
    pub fn take(&mut self, program: &Program) -> Result<(CapturedMemory, Vec<u8>), String> {
        let (rewritten, replayed) = self.whole(program)?;
        let StateParts { state, globals, .. } = replayed
            .capture(&mut self.store, &rewritten.facts)
            .map_err(|e| super::engine::chain(&e))?;
        let taken = CapturedMemory {
            memory: replayed.memory.data(&self.store).to_vec(),
            beside: Beside {
                globals,
                clock: self.store.data().clock.read(),
            },
        };
        Ok((taken, state))
    }

    /// Writes the memory of the state in which it stands to a file that is empty; gives
    /// what belongs to it beside that.
    ///
    /// # Errors
    /// As [`Self::take`], and those of the file system.
    pub fn write(&mut self, program: &Program, file: &File) -> Result<Beside, String> {
        let (rewritten, replayed) = self.whole(program)?;
        let globals = replayed
            .globals(&mut self.store, &rewritten.facts)
            .map_err(|e| super::engine::chain(&e))?;
        replayed
            .write(&self.store, file)
            .map_err(|e| format!("it cannot be written: {e}"))?;
        Ok(Beside {
            globals,
            clock: self.store.data().clock.read(),
        })
    }

    /// How large the memory is of the state in which it stands, in bytes.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn size(&self, program: &Program) -> Result<u64, String> {
        let (_, replayed) = self.whole(program)?;
        Ok(replayed.memory.data_size(&self.store) as u64)
    }

    /// What its state is made of, if it has no other than that.
    fn whole<'a>(&self, program: &'a Program) -> Result<(&'a Rewritten, Replayed), String> {
        let (ProgramKind::Rewritten(rewritten), Some((_, replayed))) =
            (&program.kind, &self.made.replayed)
        else {
            return Err("its module could not be rewritten".to_owned());
        };
        if self.touched_files {
            return Err("it touched files or descriptors, which are not in its memory".to_owned());
        }
        if self.store.data().report.asked_for_test {
            return Err("it asked which test it is run for".to_owned());
        }
        Ok((rewritten, *replayed))
    }
}

impl CapturedMemory {
    /// What belongs to it beside its memory.
    pub fn beside(&self) -> &Beside {
        &self.beside
    }

    /// How many bytes its memory has.
    pub fn size(&self) -> u64 {
        self.memory.len() as u64
    }

    /// Puts an instance that has just begun into this state.
    fn put(&self, store: &mut Store<State>, made: &Made) -> wasmtime::Result<()> {
        let Some((_, replayed)) = &made.replayed else {
            wasmtime::bail!("its module was not rewritten");
        };
        let more = self.size() / PAGE - replayed.memory.size(&*store);
        if more > 0 {
            replayed.memory.grow(&mut *store, more)?;
        }
        replayed.memory.write(&mut *store, 0, &self.memory)?;
        for (index, value) in &self.beside.globals.0 {
            let name = global_export(*index);
            let global = made.instance.get_global(&mut *store, &name);
            let Some(global) = global else {
                wasmtime::bail!("the module has no global for `{name}`");
            };
            global.set(&mut *store, super::snapshot::val(*value))?;
        }
        Ok(())
    }
}
