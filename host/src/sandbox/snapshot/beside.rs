//! What there is to know of a state beside its memory, as it travels between processes.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use wasmtime::{V128, Val};

/// In which form a state is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateForm<F> {
    /// As a module without code, compiled.
    Compiled(F),
    /// As the bytes of its memory.
    Memory(F),
}

/// What belongs to a state beside its memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// The values of its module's mutable globals.
    pub globals: Globals,
    /// What its monotonic clock showed.
    pub clock: Duration,
}

/// The values of a module's mutable globals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Globals(pub Vec<(u32, Value)>);

/// What a mutable global holds; floating-point numbers as their bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// `i32`
    I32(i32),
    /// `i64`
    I64(i64),
    /// `f32`
    F32(u32),
    /// `f64`
    F64(u64),
    /// `v128`, the low half first.
    V128(u64, u64),
}

impl Value {
    /// What wasmtime has there, if it can be written down.
    pub(super) fn of(value: &Val) -> Option<Value> {
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
    pub(in crate::sandbox) fn val(self) -> Val {
        match self {
            Value::I32(v) => Val::I32(v),
            Value::I64(v) => Val::I64(v),
            Value::F32(v) => Val::F32(v),
            Value::F64(v) => Val::F64(v),
            Value::V128(low, high) => {
                Val::V128(V128::from(u128::from(low) | u128::from(high) << 64))
            }
        }
    }

    /// Whether a global takes it.
    pub(super) fn fits(self, global: &wasmtime::GlobalType) -> bool {
        use wasmtime::ValType as V;
        global.mutability() == wasmtime::Mutability::Var
            && matches!(
                (self, global.content()),
                (Value::I32(_), V::I32)
                    | (Value::I64(_), V::I64)
                    | (Value::F32(_), V::F32)
                    | (Value::F64(_), V::F64)
                    | (Value::V128(..), V::V128)
            )
    }
}
