//! An instance that stays: fixtures and tests are called in it one after the other.
//!
//! For units, whose tests share a store, for tests whose fixtures are replayed,
//! and for shared fixtures, whose instance lives to the end of the run.

use super::capture::Stream;
use super::deadline::AtInterrupt;
use super::grants::State;
use super::guest::{Call, Called, Facts, Program, Sandbox, pointed_to};
use super::sdk::Refused;
use crate::ending::Ending;
use std::path::PathBuf;
use std::time::Duration;
use wasmtest_section::{RECEIVE_PREFIX, VALUE};
use wasmtime::{Engine, Global, Instance, Store, Val};

/// How long a value may be that travels.
pub const MAX_VALUE: usize = 16 << 20;

/// An instance and its store.
pub struct Live {
    store: Store<State>,
    instance: Instance,
    engine: Engine,
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

impl Sandbox {
    /// Makes an instance, by a call that names no entry.
    ///
    /// # Errors
    /// How its start came back, if it did not.
    pub fn open(
        &mut self,
        program: &Program,
        call: &Call<'_>,
        at_interrupt: AtInterrupt,
    ) -> Result<Live, Box<Called>> {
        let mut store = self.store(program, call)?;
        let mut made = None;
        let result = self
            .deadline
            .during(&program.engine, call.timeout, at_interrupt, || {
                made = Some(program.instantiate(&mut store)?);
                Ok(Ending::Returned)
            });
        match made {
            Some(instance) => Ok(Live {
                stack_pointer: stack_pointer(&mut store, &instance),
                store,
                instance,
                engine: program.engine.clone(),
                streams: call.streams.clone(),
                touched_files: false,
            }),
            None => Err(Box::new(Facts::default().account(
                &mut store,
                result,
                &call.streams,
            ))),
        }
    }

    /// Calls an export that runs something.
    pub fn run_in(&mut self, live: &mut Live, export: &str, how: Guarded) -> Called {
        let instance = live.instance;
        self.during(live, how, |store, facts| {
            facts.run(store, &instance, export)
        })
    }

    /// Hands a value to the fixture of this path.
    pub fn give(&mut self, live: &mut Live, path: &str, value: &[u8], how: Guarded) -> Called {
        let instance = live.instance;
        let export = format!("{RECEIVE_PREFIX}{path}");
        self.during(live, how, |store, facts| {
            facts.entered = true;
            let receive = instance.get_typed_func::<i32, i32>(&mut *store, &export)?;
            let length = i32::try_from(value.len())?;
            let at = receive.call(&mut *store, length)? as u32 as usize;
            let memory = instance.get_memory(&mut *store, "memory");
            let written = memory.is_some_and(|m| m.write(&mut *store, at, value).is_ok());
            if !written {
                let why = "the module takes the value of a fixture in memory that it does not have";
                return Err(Refused(why.to_owned()).into());
            }
            facts.returned = Some(receive.call(&mut *store, -1)?);
            Ok(Ending::Returned)
        })
    }

    fn during(
        &mut self,
        live: &mut Live,
        how: Guarded,
        call: impl FnOnce(&mut Store<State>, &mut Facts) -> wasmtime::Result<Ending>,
    ) -> Called {
        let store = &mut live.store;
        store.data_mut().limit_memory(how.max_memory);
        store.set_epoch_deadline(1);
        let mut facts = Facts::default();
        let result = self
            .deadline
            .during(&live.engine, how.timeout, how.at_interrupt, || {
                call(store, &mut facts)
            });
        let called = facts.account(store, result, &live.streams);
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
    pub fn close(&mut self, live: Live, passed: bool) -> Option<PathBuf> {
        let touched = live.touched_files;
        drop(live);
        self.tidy_after(touched, passed)
    }
}

/// The guest's stack pointer and its value.
fn stack_pointer(store: &mut Store<State>, instance: &Instance) -> Option<(Global, Val)> {
    let global = instance.get_global(&mut *store, "__stack_pointer")?;
    let value = global.get(&mut *store);
    Some((global, value))
}

impl Live {
    /// The id of the test that runs next in it.
    pub fn set_test(&mut self, id: &str, attempt: u32) {
        let report = &mut self.store.data_mut().report;
        report.test_id = id.to_owned();
        report.attempt = attempt;
    }

    /// Its stdout and stderr.
    pub fn streams(&self) -> &(Stream, Stream) {
        &self.streams
    }

    /// The value that the fixture which ran last has left, as CBOR.
    pub fn value(&mut self) -> Option<Vec<u8>> {
        let Live {
            store, instance, ..
        } = self;
        pointed_to(store, instance, VALUE, MAX_VALUE + 1)
    }
}
