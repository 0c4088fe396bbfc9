//! What `std::process::id()` gives in a module in which it works: a number for each instance.
//!
//! It is set after an instance was made and before anything else is called in it, so that the
//! compiled form, which all share, holds none, nor does a state that is replayed.

use super::state::State;
use crate::instrument::gaps::{SET_PROCESS_ID, SET_PROCESS_ID_IN_COMPONENT};
use std::sync::atomic::{AtomicU32, Ordering};
use wasmtime::component::{Component, ComponentExportIndex};
use wasmtime::{ExternType, Instance, Module, ModuleExport, Store};

/// A number that no process of this machine has, that no instance elsewhere on it has at this
/// time, and none of this process's last two hundred: the system gives out process ids of up to 22
/// bits. As such ids are, it is above 0 as a signed number too.
pub(super) fn next() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let count = NEXT.fetch_add(1, Ordering::Relaxed);
    of(std::process::id(), count)
}

fn of(process: u32, count: u32) -> u32 {
    1 << 30 | (process & ((1 << 22) - 1)) << 8 | count & 0xff
}

/// By which an instance is told, if its module asks.
pub(super) enum Setter {
    None,
    Core(ModuleExport),
    Component(ComponentExportIndex),
}

impl Setter {
    pub(super) fn of_module(module: &Module) -> Setter {
        let export = module
            .get_export_index(SET_PROCESS_ID)
            .filter(|_| matches!(module.get_export(SET_PROCESS_ID), Some(ExternType::Func(_))));
        export.map_or(Setter::None, Setter::Core)
    }

    pub(super) fn of_component(component: &Component) -> Setter {
        let export = component.get_export_index(None, SET_PROCESS_ID_IN_COMPONENT);
        export.map_or(Setter::None, Setter::Component)
    }

    /// Tells an instance of a core module its number, which the store carries.
    pub(super) fn set(
        &self,
        store: &mut Store<State>,
        instance: &Instance,
    ) -> wasmtime::Result<()> {
        let Setter::Core(export) = self else {
            return Ok(());
        };
        let set = instance
            .get_module_export(&mut *store, export)
            .and_then(wasmtime::Extern::into_func)
            .expect("it was looked up in this module");
        // whatever the cache says of it, it has one type
        let Ok(set) = set.typed::<u32, ()>(&*store) else {
            return Ok(());
        };
        let id = store.data().process_id;
        set.call(store, id)
    }

    /// The same for an instance of a component.
    pub(super) fn set_in_component(
        &self,
        store: &mut Store<State>,
        instance: &wasmtime::component::Instance,
    ) -> wasmtime::Result<()> {
        let Setter::Component(export) = self else {
            return Ok(());
        };
        let Ok(set) = instance.get_typed_func::<(u32,), ()>(&mut *store, export) else {
            return Ok(());
        };
        let id = store.data().process_id;
        set.call(store, (id,))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_differ_between_processes_and_within_one() {
        let mut seen = HashSet::new();
        for process in [1, 2, 300, (1 << 22) - 1] {
            for count in 0..256 {
                let id = of(process, count);
                assert!(id > 1 << 22 && i32::try_from(id).is_ok(), "{id}");
                assert!(seen.insert(id), "{id}");
            }
        }
    }
}
