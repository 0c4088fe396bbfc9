//! What a core module's code shows of a failure: which functions it calls, and whether it
//! waits in the host. Read only where a failure asks for it.

use std::collections::HashSet;
use wasmparser::{BinaryReader, CodeSectionReader, FunctionBody, Operator};

/// More code than this is not read for a hint, in bytes.
const MAX_CODE: usize = 256 << 20;

/// The code section of a core module.
#[derive(Default)]
pub(super) struct Code {
    /// Its content; addresses in debug information are offsets in it.
    pub(super) bytes: Vec<u8>,
    /// How many functions are imported: the first of the module's own has this index.
    pub(super) imported: u32,
    /// What the first of them are called.
    pub(super) imports: Vec<String>,
}

impl Code {
    fn bodies(&self) -> Option<impl Iterator<Item = FunctionBody<'_>>> {
        let reader = BinaryReader::new(&self.bytes, 0);
        let bodies = CodeSectionReader::new(reader).ok()?;
        Some(bodies.into_iter().filter_map(Result::ok))
    }

    /// Where a function of the module's own begins.
    pub(super) fn beginning(&self, function: u32) -> Option<usize> {
        let own = function.checked_sub(self.imported)? as usize;
        Some(self.bodies()?.nth(own)?.range().start)
    }

    /// The functions that the one at this address calls before it, the last first.
    pub(super) fn called_before(&self, address: usize) -> Vec<u32> {
        let body = self
            .bodies()
            .and_then(|mut bodies| bodies.find(|b| b.range().contains(&address)));
        let mut called: Vec<u32> = body
            .iter()
            .flat_map(calls)
            .take_while(|(at, _)| *at < address)
            .map(|(_, function)| function)
            .collect();
        called.reverse();
        called
    }

    /// The functions that those for which `of` says so call.
    pub(super) fn called_by(&self, mut of: impl FnMut(u32) -> bool) -> HashSet<u32> {
        if self.bytes.len() > MAX_CODE {
            return HashSet::new();
        }
        let own = self.bodies().into_iter().flatten().zip(self.imported..);
        own.filter(|(_, index)| of(*index))
            .flat_map(|(body, _)| calls(&body).map(|(_, f)| f).collect::<Vec<u32>>())
            .collect()
    }

    /// Whether what stands at this address is a call of the host.
    pub(super) fn calls_host(&self, address: usize) -> bool {
        self.called_at(address)
            .is_some_and(|function| function < self.imported)
    }

    /// The function of the host's that is called at this address, if one is.
    pub(super) fn host_call(&self, address: usize) -> Option<&str> {
        let name = self.imports.get(self.called_at(address)? as usize)?;
        Some(name)
    }

    /// The function that is called at this address, if one is.
    fn called_at(&self, address: usize) -> Option<u32> {
        const CALL: u8 = 0x10;
        let (&CALL, rest) = self.bytes.get(address..)?.split_first()? else {
            return None;
        };
        BinaryReader::new(rest, 0).read_var_u32().ok()
    }
}

/// The direct calls in a function, each with its address.
fn calls<'a>(body: &FunctionBody<'a>) -> impl Iterator<Item = (usize, u32)> + use<'a> {
    let operators = body.get_operators_reader().ok();
    let operators = operators
        .into_iter()
        .flat_map(wasmparser::OperatorsReader::into_iter_with_offsets);
    operators.filter_map(|operator| match operator {
        Ok((Operator::Call { function_index }, at)) => Some((at, function_index)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmparser::{Parser, Payload};

    #[test]
    fn calls_are_found_with_their_places() {
        let module = wat::parse_str(
            r#"(module
                (import "host" "f" (func $host))
                (func $a call $b call $c call $host)
                (func $b) (func $c call $b))"#,
        );
        let bytes = module.expect("it assembles");
        let range = Parser::new(0)
            .parse_all(&bytes)
            .find_map(|payload| match payload {
                Ok(Payload::CodeSectionStart { range, .. }) => Some(range),
                _ => None,
            });
        let code = Code {
            bytes: bytes[range.expect("there is code")].to_vec(),
            imported: 1,
            imports: vec!["host.f".to_owned()],
        };
        // count, size, no locals, three calls of two bytes
        assert_eq!(code.called_before(7), [3, 2]);
        assert!(code.called_before(3).is_empty());
        assert_eq!(code.called_by(|f| f == 1), HashSet::from([0, 2, 3]));
        assert_eq!(code.called_by(|f| f == 3), HashSet::from([2]));
        assert_eq!(
            (code.host_call(7), code.host_call(5)),
            (Some("host.f"), None)
        );
        // after count and size
        assert_eq!((code.beginning(1), code.beginning(0)), (Some(2), None));
        assert!(code.calls_host(7) && !code.calls_host(5) && !code.calls_host(1000));
    }
}
