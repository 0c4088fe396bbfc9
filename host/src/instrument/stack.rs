//! Which global points at the end of the stack in memory, if that is certain.
//!
//! Is told what a survey comes across, and says at its end. Names are believed
//! only where they can be true.

use super::{GlobalShape, MemoryShape, Number, PAGE};
use wasmparser::{ConstExpr, CustomSectionReader, Global, KnownCustom, Name, Operator};

/// What the ABI of C aligns the stack to.
const STACK_ALIGNMENT: i32 = 16;

/// Finds the global that points at the stack's end.
#[derive(Clone, Debug, Default)]
pub(super) struct StackPointer {
    named: Option<u32>,
    /// Two or more say that they are it.
    ambiguous: bool,
    /// The first mutable global and the address that it begins with.
    first: Option<(u32, u32)>,
    /// A global that functions take room from.
    used: Option<u32>,
    /// The global whose value was just read.
    read: Option<u32>,
    /// The same, followed by the size of a frame.
    frame: Option<u32>,
}

impl StackPointer {
    /// A global has this name in the name section or as an export.
    pub fn is_named(&mut self, index: u32, name: &str) {
        if name == "__stack_pointer" {
            self.ambiguous |= self.named.is_some_and(|other| other != index);
            self.named = Some(index);
        }
    }

    /// A custom section; that of the names may name it.
    pub fn may_be_named_in(&mut self, section: &CustomSectionReader<'_>) {
        if let KnownCustom::Name(names) = section.as_known() {
            // nobody vouches for what names say: a bad one is no name
            for name in names {
                let Ok(Name::Global(names)) = name else {
                    continue;
                };
                for name in names.into_iter().flatten() {
                    self.is_named(name.index, name.name);
                }
            }
        }
    }

    /// A mutable global is defined, in the order of their indices.
    pub fn begins(&mut self, index: u32, global: &Global<'_>) {
        if self.first.is_none() {
            self.first = constant(&global.init_expr).map(|address| (index, address));
        }
    }

    /// A function's body begins.
    pub fn enters(&mut self) {
        (self.read, self.frame) = (None, None);
    }

    /// The next operator of a body: a function makes room on the stack by
    /// `global.get G; i32.const N; i32.sub`.
    pub fn sees(&mut self, operator: &Operator<'_>) {
        let (read, frame) = (self.read.take(), self.frame.take());
        match operator {
            Operator::GlobalGet { global_index } => self.read = Some(*global_index),
            Operator::I32Const { value } if *value > 0 && value % STACK_ALIGNMENT == 0 => {
                self.frame = read;
            }
            Operator::I32Sub => {
                if let Some(index) = frame {
                    self.used.get_or_insert(index);
                }
            }
            _ => {}
        }
    }

    /// Certain by its name; else only if there is no other mutable global, and it
    /// begins and is used as one.
    pub fn settled(&self, globals: &[GlobalShape], memory: MemoryShape) -> Option<u32> {
        let is_i32 = |index: u32| {
            globals
                .iter()
                .any(|g| g.index == index && g.number == Number::I32)
        };
        if self.named.is_some() {
            return self.named.filter(|index| !self.ambiguous && is_i32(*index));
        }
        let (index, address) = self.first?;
        let end = memory.minimum.saturating_mul(PAGE);
        let plausible = address != 0
            && address.is_multiple_of(STACK_ALIGNMENT.unsigned_abs())
            && u64::from(address) <= end;
        (globals.len() == 1 && is_i32(index) && self.used == Some(index) && plausible)
            .then_some(index)
    }
}

/// The address that such an expression is.
pub(super) fn constant(expression: &ConstExpr<'_>) -> Option<u32> {
    let mut operators = expression.get_operators_reader();
    match (operators.read(), operators.read()) {
        (Ok(Operator::I32Const { value }), Ok(Operator::End)) => Some(value.cast_unsigned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::instrument::rewrite;

    fn stack_pointer(wat: &str) -> Option<u32> {
        let module = wat::parse_str(wat).unwrap_or_else(|e| panic!("{wat}: {e}"));
        let rewritten = rewrite(&module).unwrap_or_else(|e| panic!("{wat}: {e}"));
        rewritten.facts.facts.stack_pointer
    }

    #[test]
    fn the_stack_pointer_is_known_by_its_name_or_by_its_use() {
        let frame = "(func (global.set 0 (i32.sub (global.get 0) (i32.const 32))))";
        let module = |rest: &str| format!("(module (memory 1) {rest})");
        let cases = [
            (
                "(global i32 (i32.const 0)) (global $__stack_pointer (mut i32) (i32.const 0)) (global (mut i32) (i32.const 0))".to_owned(),
                Some(1),
            ),
            (
                "(global (export \"__stack_pointer\") (mut i32) (i32.const 0))".to_owned(),
                Some(0),
            ),
            (format!("(global (mut i32) (i32.const 65536)) {frame}"), Some(0)),
            // begins or is used as none
            ("(global (mut i32) (i32.const 65536))".to_owned(), None),
            (format!("(global (mut i32) (i32.const 0)) {frame}"), None),
            (format!("(global (mut i32) (i32.const 65537)) {frame}"), None),
            (format!("(global (mut i32) (i32.const 65552)) {frame}"), None),
            (
                format!("(global (mut i32) (i32.const 65536)) (global (mut i32) (i32.const 0)) {frame}"),
                None,
            ),
            // says so, but cannot be
            ("(global $__stack_pointer i32 (i32.const 0))".to_owned(), None),
            ("(global $__stack_pointer (mut i64) (i64.const 0))".to_owned(), None),
            (
                "(global $__stack_pointer (mut i32) (i32.const 0)) (global (export \"__stack_pointer\") (mut i32) (i32.const 0))".to_owned(),
                None,
            ),
        ];
        for (rest, found) in cases {
            assert_eq!(stack_pointer(&module(&rest)), found, "{rest}");
        }
    }
}
