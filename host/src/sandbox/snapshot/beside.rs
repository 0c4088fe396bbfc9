//! Globals' values, as wasmtime has them and as they travel.

use crate::protocol::Value;
use wasmtime::{V128, Val};

/// What wasmtime has there, if it can be written down.
pub(super) fn value_of(value: &Val) -> Option<Value> {
    Some(match value {
        Val::I32(v) => Value::I32(*v),
        Val::I64(v) => Value::I64(*v),
        Val::F32(v) => Value::F32(*v),
        Val::F64(v) => Value::F64(*v),
        Val::V128(v) => {
            let v = v.as_u128();
            Value::V128(v as u64, (v >> 64) as u64)
        }
        _ => return None,
    })
}

/// The same as wasmtime has it.
pub(in crate::sandbox) fn val(value: Value) -> Val {
    match value {
        Value::I32(v) => Val::I32(v),
        Value::I64(v) => Val::I64(v),
        Value::F32(v) => Val::F32(v),
        Value::F64(v) => Val::F64(v),
        Value::V128(low, high) => Val::V128(V128::from(u128::from(low) | u128::from(high) << 64)),
    }
}

/// Whether a global takes it.
pub(super) fn fits(value: Value, global: &wasmtime::GlobalType) -> bool {
    use wasmtime::ValType as V;
    global.mutability() == wasmtime::Mutability::Var
        && matches!(
            (value, global.content()),
            (Value::I32(_), V::I32)
                | (Value::I64(_), V::I64)
                | (Value::F32(_), V::F32)
                | (Value::F64(_), V::F64)
                | (Value::V128(..), V::V128)
        )
}
