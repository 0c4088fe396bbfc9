//! What the guest SDK asks of the host: the functions of `wit/test.wit`, for core modules.
//!
//! Their names and signatures are those that the canonical ABI gives them. What
//! a guest hands over is bounded here, and lies about pointers are traps.

use super::state::{MAX_BYTES, Refused, Skipped, State};
use crate::event::Attachment;
use wasmtime::{Caller, Extern, Linker, Memory};

/// The interface, as the SDK imports it.
pub(super) const MODULE: &str = "wasmtest:test/host@0.1.0";
/// How long the name and the media type of an attachment may be.
const MAX_LABEL: u32 = 1 << 10;
/// What is kept of the reason for which a test is skipped.
const MAX_REASON: usize = 4 << 10;

fn refused<T>(why: impl Into<String>) -> wasmtime::Result<T> {
    Err(Refused(why.into()).into())
}

/// Adds the interface to a linker.
///
/// # Errors
/// If wasmtime refuses a definition.
pub fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(MODULE, "attempt", |mut caller: Caller<'_, State>| {
        let report = &mut caller.data_mut().report;
        report.asked_for_test = true;
        report.attempt.max(1)
    })?;
    linker.func_wrap(
        MODULE,
        "skip",
        |mut caller: Caller<'_, State>, at: u32, length: u32| {
            let mut reason = text(&mut caller, at, length)?;
            if reason.len() > MAX_REASON {
                reason.truncate(reason.floor_char_boundary(MAX_REASON));
                reason.push_str(" …");
            }
            Err::<(), _>(Skipped(reason).into())
        },
    )?;
    linker.func_wrap(
        MODULE,
        "log",
        |mut caller: Caller<'_, State>, at: u32, length: u32| {
            caller.data().report.ask_for(length as usize)?;
            let text = text(&mut caller, at, length)?;
            caller.data_mut().report.log(text)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "attach",
        |mut caller: Caller<'_, State>,
         name: u32,
         name_len: u32,
         media: u32,
         media_len: u32,
         at: u32,
         length: u32| {
            for label in [name_len, media_len] {
                if label > MAX_LABEL {
                    return refused(format!(
                        "the name or media type of an attachment is longer than {MAX_LABEL} bytes"
                    ));
                }
            }
            caller.data().report.ask_for(length as usize)?;
            let attachment = Attachment {
                name: text(&mut caller, name, name_len)?,
                media_type: text(&mut caller, media, media_len)?,
                content: bytes(&mut caller, at, length)?,
            };
            caller.data_mut().report.attach(attachment)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "test-id",
        |mut caller: Caller<'_, State>, to: u32| {
            caller.data_mut().report.asked_for_test = true;
            let id = caller.data().report.test_id.clone();
            let realloc = caller
                .get_export("cabi_realloc")
                .and_then(Extern::into_func)
                .and_then(|f| f.typed::<(u32, u32, u32, u32), u32>(&caller).ok());
            let Some(realloc) = realloc else {
                return refused("the module exports no `cabi_realloc` to take the test's id with");
            };
            let length = u32::try_from(id.len())?;
            let at = realloc.call(&mut caller, (0, 0, 1, length))?;
            let result = [at.to_le_bytes(), length.to_le_bytes()].concat();
            let memory = memory(&mut caller)?;
            let written = memory.write(&mut caller, at as usize, id.as_bytes());
            if written
                .and_then(|()| memory.write(&mut caller, to as usize, &result))
                .is_err()
            {
                return refused("the test asks for its id in memory that it does not have");
            }
            Ok(())
        },
    )?;
    Ok(())
}

fn memory(caller: &mut Caller<'_, State>) -> wasmtime::Result<Memory> {
    let memory = caller.get_export("memory").and_then(Extern::into_memory);
    memory.map_or_else(|| refused("the module exports no `memory`"), Ok)
}

fn bytes(caller: &mut Caller<'_, State>, at: u32, length: u32) -> wasmtime::Result<Vec<u8>> {
    let memory = memory(caller)?;
    let end = (at as usize).checked_add(length as usize);
    let range = end.and_then(|end| memory.data(&caller).get(at as usize..end));
    match range {
        Some(bytes) if bytes.len() <= MAX_BYTES => Ok(bytes.to_vec()),
        Some(bytes) => refused(format!("the test hands over {} bytes at once", bytes.len())),
        None => refused("the test hands over memory that it does not have"),
    }
}

fn text(caller: &mut Caller<'_, State>, at: u32, length: u32) -> wasmtime::Result<String> {
    let bytes = bytes(caller, at, length)?;
    String::from_utf8(bytes).or_else(|_| refused("the test hands over a text that is not UTF-8"))
}
