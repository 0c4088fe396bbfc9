//! Calls of a program with functions of the host in the place of some of its own.

use super::call::Call;
use super::call_result::{CallResult, Seen};
use super::deadline::AtInterrupt;
use super::guest::Sandbox;
use super::program::{Program, ProgramKind};
use super::state::State;
use crate::harness::listing::{StandIn, StandIns, Stood};
use crate::harness::termination::Termination;
use crate::instrument::direct::TABLE;
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::{Caller, Func, Instance, Memory, Ref, Store, TypedFunc};

/// No more calls of stand-ins are noted, whatever a guest does.
const MOST_CALLS: usize = 2_000_000;

impl Sandbox {
    /// Starts a program in which these places of the table of its tests hold stand-ins; tells which
    /// were called, in order. One that has no such table is refused.
    pub fn start_over(
        &mut self,
        program: &Program,
        call: &Call<'_>,
        stand_ins: StandIns<'_>,
    ) -> (CallResult, Vec<Stood>) {
        let has_table = match &program.kind {
            ProgramKind::Core(pre) => pre.module().exports().any(|e| e.name() == TABLE),
            ProgramKind::Rewritten(_) | ProgramKind::Component(_) => false,
        };
        if !has_table {
            let why = Termination::Refused("the table of its tests is not exported".to_owned());
            return (CallResult::without_store(why, &call.streams), Vec::new());
        }
        let mut store = match self.store(program, call, self.clock()) {
            Ok(store) => store,
            Err(refused) => return (*refused, Vec::new()),
        };
        let called: Arc<Mutex<Vec<Stood>>> = Arc::default();
        let mut seen = Seen::default();
        let result = self.deadline.during(
            &program.code,
            call.timeout,
            AtInterrupt::Stop,
            || -> wasmtime::Result<Termination> {
                let made = program.instantiate(&mut store)?;
                for place in stand_ins.places {
                    put(&mut store, &made.instance, *place, stand_ins.does, &called)?;
                }
                for (at, word) in stand_ins.words {
                    let memory = made.instance.get_memory(&mut store, "memory");
                    let memory = memory.ok_or_else(|| wasmtime::format_err!("it has no memory"))?;
                    memory.write(&mut store, *at as usize, &word.to_le_bytes())?;
                }
                let start = made
                    .instance
                    .get_typed_func::<(), ()>(&mut store, "_start")?;
                seen.entered = true;
                start.call(&mut store, ())?;
                Ok(Termination::Returned)
            },
        );
        let result = seen.account(&mut store, result, &call.streams);
        drop(store);
        let called = std::mem::take(&mut *called.lock().unwrap_or_else(PoisonError::into_inner));
        (result, called)
    }
}

/// Puts a stand-in into an instance's table.
fn put(
    store: &mut Store<State>,
    instance: &Instance,
    place: u32,
    stand_in: StandIn,
    called: &Arc<Mutex<Vec<Stood>>>,
) -> wasmtime::Result<()> {
    let missing = || wasmtime::format_err!("it has no table or memory of its own");
    let table = instance.get_table(&mut *store, TABLE).ok_or_else(missing)?;
    let memory = instance
        .get_memory(&mut *store, "memory")
        .ok_or_else(missing)?;
    let own = match stand_in {
        StandIn::Giving(_) => None,
        StandIn::Around => {
            let own = table.get(&mut *store, place.into());
            let own = own.and_then(|own| own.as_func().flatten().copied());
            Some(own.ok_or_else(missing)?.typed::<u32, ()>(&*store)?)
        }
    };
    let called = called.clone();
    let stands_in = Func::wrap(
        &mut *store,
        move |mut caller: Caller<'_, State>, out: u32| -> wasmtime::Result<()> {
            let gave = give(&mut caller, &memory, out, own.as_ref(), stand_in)?;
            let mut called = called.lock().unwrap_or_else(PoisonError::into_inner);
            if called.len() < MOST_CALLS {
                called.push(Stood { place, gave });
            }
            Ok(())
        },
    );
    table.set(store, place.into(), Ref::Func(Some(stands_in)))
}

/// Has the word be given; says which it is.
fn give(
    caller: &mut Caller<'_, State>,
    memory: &Memory,
    out: u32,
    own: Option<&TypedFunc<u32, ()>>,
    stand_in: StandIn,
) -> wasmtime::Result<u32> {
    if let Some(own) = own {
        own.call(&mut *caller, out)?;
    }
    let mut word = [0; 4];
    match stand_in {
        StandIn::Around => memory.read(&*caller, out as usize, &mut word)?,
        StandIn::Giving(gave) => {
            word = gave.to_le_bytes();
            memory.write(&mut *caller, out as usize, &word)?;
        }
    }
    Ok(u32::from_le_bytes(word))
}
