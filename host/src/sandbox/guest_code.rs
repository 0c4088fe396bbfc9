//! A program's native code, as whoever stops or looks at its guest has to know it.

use super::reach::Functions;
use crate::harness::termination::StackFrame;
use std::sync::OnceLock;
use wasmtime::component::Component;
use wasmtime::{Module, ModuleFunction};

/// A program's native code.
pub(super) struct GuestCode {
    code: Code,
    /// Made when it is first asked for: hardly any guest is stopped.
    functions: OnceLock<Functions>,
}

enum Code {
    Module(Module),
    Component(Component),
    /// Of a test that has no guest.
    #[cfg(test)]
    None,
}

impl GuestCode {
    pub(super) fn of_module(module: &Module) -> GuestCode {
        GuestCode::new(Code::Module(module.clone()))
    }

    pub(super) fn of_component(component: &Component) -> GuestCode {
        GuestCode::new(Code::Component(component.clone()))
    }

    fn new(code: Code) -> GuestCode {
        GuestCode {
            code,
            functions: OnceLock::new(),
        }
    }

    /// That of no guest.
    #[cfg(test)]
    pub(super) fn none() -> GuestCode {
        GuestCode::new(Code::None)
    }

    /// Where its functions lie.
    pub(super) fn functions(&self) -> &Functions {
        self.functions.get_or_init(|| {
            let functions = self.all().into_iter();
            Functions::new(self.text(), functions.map(|f| (f.offset, f.len)))
        })
    }

    /// What lies at these addresses, of those that are in its functions.
    pub(super) fn frames(&self, addresses: &[usize]) -> Vec<StackFrame> {
        if addresses.is_empty() {
            return Vec::new();
        }
        let base = self.text().as_ptr().addr();
        let mut all = self.all();
        all.sort_by_key(|function| function.offset);
        let frame = |address: &usize| {
            let at = address.checked_sub(base)?;
            let after = all.partition_point(|function| function.offset <= at);
            let function = all.get(after.checked_sub(1)?)?;
            Some((at, function.index.as_u32()))
        };
        let found: Vec<(usize, u32)> = addresses.iter().filter_map(frame).collect();
        let mut offsets: Vec<Option<usize>> = vec![None; found.len()];
        // in order of the code: what is last at or before an address is of it
        for (code, file) in self.addresses() {
            for ((at, _), offset) in found.iter().zip(&mut offsets) {
                if code <= *at {
                    *offset = file.map(|offset| offset as usize);
                }
            }
        }
        let frames = found.into_iter().zip(offsets);
        frames
            .map(|((_, function), offset)| StackFrame { function, offset })
            .collect()
    }

    /// Has a guest that checks for it stop, or be looked at.
    pub(super) fn interrupt(&self) {
        match &self.code {
            Code::Module(module) => module.engine().increment_epoch(),
            Code::Component(component) => component.engine().increment_epoch(),
            #[cfg(test)]
            Code::None => {}
        }
    }

    fn text(&self) -> &[u8] {
        match &self.code {
            Code::Module(module) => module.text(),
            Code::Component(component) => component.text(),
            #[cfg(test)]
            Code::None => &[],
        }
    }

    fn all(&self) -> Vec<ModuleFunction> {
        match &self.code {
            Code::Module(module) => module.functions().collect(),
            Code::Component(component) => component.functions().collect(),
            #[cfg(test)]
            Code::None => Vec::new(),
        }
    }

    /// Offsets in the code, and in the file that was compiled.
    fn addresses(&self) -> Box<dyn Iterator<Item = (usize, Option<u32>)> + '_> {
        match &self.code {
            Code::Module(module) => Box::new(module.address_map().into_iter().flatten()),
            Code::Component(component) => Box::new(component.address_map().into_iter().flatten()),
            #[cfg(test)]
            Code::None => Box::new(std::iter::empty()),
        }
    }
}
