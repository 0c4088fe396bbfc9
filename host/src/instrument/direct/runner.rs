//! Whether tests are run by a runner of the binary's own (`#![test_runner]`), which a direct call would
//! leave out: another function stands in the place of `main` then.

use super::NotFound;
use wasmparser::{FunctionBody, KnownCustom, Name, Operator, Parser, Payload};

/// Whether a `main` that hands its tests to this function does anything else, or the function is
/// known to be none of libtest's.
pub(super) fn is_of_its_own(
    bytes: &[u8],
    main: &FunctionBody<'_>,
    to: u32,
) -> Result<bool, NotFound> {
    Ok(is_named_otherwise(bytes, to) || does_more(main)?)
}

/// Whether a function does more than to hand over tests: whatever that is would be left out.
fn does_more(body: &FunctionBody<'_>) -> Result<bool, NotFound> {
    let mut calls = 0;
    for operator in body.get_operators_reader()? {
        match operator? {
            Operator::Call { .. } => calls += 1,
            // its frame and what it puts there, and what it makes of what came back
            Operator::I32Const { .. }
            | Operator::I32Add
            | Operator::I32Sub
            | Operator::I32And
            | Operator::I32Or
            | Operator::I32Xor
            | Operator::I32Shl
            | Operator::I32ShrU
            | Operator::I32ShrS
            | Operator::I32Eqz
            | Operator::I32Eq
            | Operator::I32Ne
            | Operator::Select
            | Operator::Drop
            | Operator::I32Store { .. }
            | Operator::LocalGet { .. }
            | Operator::LocalSet { .. }
            | Operator::LocalTee { .. }
            | Operator::GlobalGet { .. }
            | Operator::GlobalSet { .. }
            | Operator::Nop
            | Operator::Return
            | Operator::End => {}
            _ => return Ok(true),
        }
    }
    Ok(calls != 1)
}

/// Whether a function is known by name and is none of libtest's.
fn is_named_otherwise(bytes: &[u8], function: u32) -> bool {
    let name = name_of(bytes, function);
    name.is_some_and(|name| !name.starts_with("test::"))
}

/// The path of a function, if the module tells names.
fn name_of(bytes: &[u8], function: u32) -> Option<String> {
    for payload in Parser::new(0).parse_all(bytes) {
        let Ok(Payload::CustomSection(section)) = payload else {
            continue;
        };
        let KnownCustom::Name(names) = section.as_known() else {
            continue;
        };
        for name in names {
            let Ok(Name::Function(names)) = name else {
                continue;
            };
            let mut names = names.into_iter().filter_map(Result::ok);
            let found = names.find(|naming| naming.index == function);
            if let Some(naming) = found {
                let path = rustc_demangle::demangle(naming.name);
                return Some(format!("{path:#}"));
            }
        }
    }
    None
}
