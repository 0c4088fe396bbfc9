//! Makes a core module in which std's functions work of one in which they panic.

use super::super::put::{Layout, Put, assemble};
use super::{Left, OffsetMap, Plan, SET_PROCESS_ID, code};
use wasm_encoder::ExportKind;

/// Fills in what is planned.
pub(super) fn fill(bytes: &[u8], plan: &Plan) -> Result<(Vec<u8>, OffsetMap), Left> {
    let layout = Layout::of(bytes)?;
    let mut put = Put::default();
    if let Ok(found) = &plan.temp_dir {
        put.replace(&layout, found.function, 1, |old| {
            code::temp_dir(found.look_up, found.stack_pointer, old)
        })?;
    }
    if let Ok(found) = &plan.process_id {
        let global = put.global(&layout, 0);
        put.replace(&layout, found.function, 0, |old| {
            code::process_id(global, old)
        })?;
        let ty = put.taking_i32(&layout);
        let setter = put.function(&layout, ty, code::set_process_id(global));
        put.export(SET_PROCESS_ID, ExportKind::Func, setter);
    }
    Ok(assemble(bytes, &layout, &put)?)
}
