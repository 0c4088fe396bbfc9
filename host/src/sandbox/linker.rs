//! The host functions that guests can import, and where ours stand in front of wasmtime's.

use super::state::State;
use super::{access, hostcall, interruptible_poll, listing, sdk};
use wasmtime::{Caller, Engine, component};
use wasmtime_wasi::filesystem::WasiFilesystemView as _;
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::{I32Exit, p0, p2};

/// The functions of WASI 0.1 and its predecessor, for core modules.
///
/// # Errors
/// If wasmtime refuses a definition.
pub fn core_linker(engine: &Engine) -> anyhow::Result<wasmtime::Linker<State>> {
    let mut linker = wasmtime::Linker::new(engine);
    fn noticed(state: &mut State) -> &mut WasiP1Ctx {
        state.touched_files = true;
        state.wasi()
    }
    let mut add = || -> wasmtime::Result<()> {
        // once with a state that takes notice, kept aside for what touches files ...
        p1::add_to_linker_sync(&mut linker, noticed)?;
        p0::add_to_linker_sync(&mut linker, noticed)?;
        for module in ["wasi_snapshot_preview1", "wasi_unstable"] {
            for name in TOUCHING {
                linker.alias(module, name, &format!("noticed {module}"), name)?;
            }
        }
        // ... once more without, for everything else
        linker.allow_shadowing(true);
        p1::add_to_linker_sync(&mut linker, State::wasi)?;
        p0::add_to_linker_sync(&mut linker, State::wasi)?;
        for module in ["wasi_snapshot_preview1", "wasi_unstable"] {
            for name in TOUCHING {
                linker.alias(&format!("noticed {module}"), name, module, name)?;
            }
            linker.func_wrap(module, "fd_prestat_get", folder)?;
            // wasmtime's own refuses a status above 125; here any status is a fact
            linker.func_wrap(module, "proc_exit", |status: i32| -> wasmtime::Result<()> {
                Err(I32Exit(status).into())
            })?;
        }
        interruptible_poll::add_to_core_linker(&mut linker)?;
        listing::add_to_linker(&mut linker)?;
        access::core::add_to_linker(&mut linker)?;
        access::writing::add_to_linker(&mut linker)?;
        linker.allow_shadowing(false);
        sdk::add_to_linker(&mut linker)
    };
    add()?;
    Ok(linker)
}

/// `fd_prestat_get`, the same in both versions of WASI: that there is no first folder is noticed.
fn folder(mut caller: Caller<'_, State>, fd: i32, to: i32) -> wasmtime::Result<i32> {
    const FIRST: i32 = 3;
    hostcall::enter(&mut caller, |state, memory| {
        let errno = p1::wasi_snapshot_preview1::fd_prestat_get(state.wasi(), memory, fd, to)?;
        state.found_no_folder |= fd == FIRST && errno != 0;
        Ok(errno)
    })
}

/// The functions of WASI 0.1 through which a guest can reach or change what
/// lies in a folder, or what the host holds for it, beside those that take a path
/// (`access::core`) or end a listing (`listing`); all else needs a descriptor that came from one of them.
const TOUCHING: [&str; 3] = ["fd_fdstat_set_flags", "fd_read", "fd_filestat_set_times"];

/// The interfaces of WASI 0.2, for components.
///
/// # Errors
/// If wasmtime refuses a definition.
pub fn component_linker(engine: &Engine) -> anyhow::Result<component::Linker<State>> {
    let mut linker = component::Linker::new(engine);
    let mut add = || -> wasmtime::Result<()> {
        p2::add_to_linker_sync(&mut linker)?;
        linker.allow_shadowing(true);
        access::component::add_to_linker(&mut linker)?;
        preopens::add_to_linker::<State, HasFolders>(&mut linker, |s| Folders(s))?;
        interruptible_poll::add_to_component_linker(&mut linker)?;
        linker.allow_shadowing(false);
        Ok(())
    };
    add()?;
    Ok(linker)
}

struct HasFolders;

impl component::HasData for HasFolders {
    type Data<'a> = Folders<'a>;
}

/// The folders of a component, of which it is noticed that there are none.
struct Folders<'a>(&'a mut State);

impl preopens::Host for Folders<'_> {
    fn get_directories(
        &mut self,
    ) -> wasmtime::Result<Vec<(component::Resource<preopens::Descriptor>, String)>> {
        let found = preopens::Host::get_directories(&mut self.0.wasi().filesystem())?;
        self.0.found_no_folder |= found.is_empty();
        Ok(found)
    }
}
