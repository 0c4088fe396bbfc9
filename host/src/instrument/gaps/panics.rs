//! Whether a function's body is nothing but a panic of std's.

use super::Left;
use crate::instrument::is_runtime_source;
use std::collections::BTreeMap;
use wasmparser::{FunctionBody, Operator, ValType};

/// What the files are called in which std panics.
const STD_SOURCES: &str = "library/std/src/";
/// No such body is longer, in operators.
const LONGEST: usize = 64;

/// What a module's memory and globals begin with, as far as that is known.
#[derive(Default)]
pub(super) struct Constants<'a> {
    /// Where each segment of data lies.
    pub data: Vec<(u32, &'a [u8])>,
    /// Globals that never change, such as `__memory_base` in code that may lie anywhere.
    pub globals: BTreeMap<u32, u32>,
}

impl Constants<'_> {
    /// Whether a body is one call that does not come back, with constants of which one is the address
    /// of a place in std's sources.
    pub fn panics_in_std(&self, body: &FunctionBody<'_>, parameters: usize) -> Result<bool, Left> {
        let mut locals = BTreeMap::new();
        for declared in body.get_locals_reader()? {
            if declared?.1 != ValType::I32 {
                return Ok(false);
            }
        }
        let mut operators = body.get_operators_reader()?;
        let mut stack = Vec::new();
        for _ in 0..LONGEST {
            let value = match operators.read()? {
                Operator::I32Const { value } => Some(value.cast_unsigned()),
                Operator::GlobalGet { global_index } => self.globals.get(&global_index).copied(),
                // parameters are not among them
                Operator::LocalGet { local_index } => locals.get(&local_index).copied(),
                Operator::LocalTee { local_index } | Operator::LocalSet { local_index }
                    if (local_index as usize) < parameters =>
                {
                    None
                }
                Operator::LocalTee { local_index } => {
                    let value = stack.pop();
                    value.inspect(|value| {
                        locals.insert(local_index, *value);
                    })
                }
                Operator::I32Add => match (stack.pop(), stack.pop()) {
                    (Some(a), Some(b)) => Some(a.wrapping_add(b)),
                    _ => None,
                },
                Operator::Call { .. } => break,
                _ => None,
            };
            match value {
                Some(value) => stack.push(value),
                None => return Ok(false),
            }
        }
        let ends = matches!(
            (operators.read()?, operators.read()?),
            (Operator::Unreachable, Operator::End)
        );
        let in_std = stack.into_iter().any(|address| self.is_in_std(address));
        Ok(in_std && ends && operators.eof())
    }

    /// Whether a `core::panic::Location` in std's sources lies there.
    fn is_in_std(&self, address: u32) -> bool {
        let word = |at: u32| -> Option<u32> {
            let bytes = self.bytes(at, 4)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?))
        };
        let file = || {
            let (at, length) = (word(address)?, word(address.checked_add(4)?)?);
            std::str::from_utf8(self.bytes(at, length)?).ok()
        };
        let is_stds = |file: &str| {
            // a developer's own folder may be called the same
            is_runtime_source(file) && file.contains(STD_SOURCES) && file.ends_with(".rs")
        };
        file().is_some_and(is_stds)
    }

    fn bytes(&self, at: u32, length: u32) -> Option<&[u8]> {
        self.data.iter().find_map(|(start, data)| {
            let from = at.checked_sub(*start)? as usize;
            data.get(from..from.checked_add(length as usize)?)
        })
    }
}
