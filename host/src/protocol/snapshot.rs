//! What there is to know of a state beside its memory, as it travels between processes.

use serde::{Deserialize, Serialize};
use std::time::Duration;

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
