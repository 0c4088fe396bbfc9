//! Inside cargo: real cargo, on crates made here and on public ones.

mod made;
mod wasmtest;
