//! The way by which a panic ends its program, told from those by which anything else does.
//!
//! A panic that aborts ends in the same functions as `abort()` does. What is std's alone is the
//! part before them: a function that starts the panic, called by one that could abort in another
//! way as well, when a panic is not to unwind or comes while there is one. Both are found on the
//! stack of a panic that is known to be one, without any names, by what these functions call.

use std::collections::HashMap;
use std::ops::Range;
use wasmparser::{Operator, Parser, Payload, TypeRef};

/// So much of a stack is looked at: more than twice of what lies between a panic and its end.
pub const LONGEST_PATH: usize = 16;

/// How many of the innermost places on the stack of a panic are those of any panic and of nothing
/// else; `None` where that is not certain. `stack` holds offsets in the file.
pub fn panic_path(original: &[u8], stack: &[u64]) -> Option<usize> {
    let stack = stack.get(..LONGEST_PATH).unwrap_or(stack);
    let functions = functions(original, stack)?;
    // what comes after one that is there twice is none of these
    let mut place: HashMap<u32, usize> = HashMap::new();
    for (at, function) in functions.iter().enumerate() {
        if place.contains_key(&function.index) {
            break;
        }
        place.insert(function.index, at);
    }
    let functions = &functions[..place.len()];
    // the innermost that can end in more ways than one
    functions
        .iter()
        .enumerate()
        .skip(1)
        .find_map(|(at, function)| {
            let inner = |callee: &u32| place.get(callee).copied().filter(|inner| *inner < at);
            let (from, times) = function
                .calls
                .iter()
                .find(|(callee, _)| inner(callee) == Some(at - 1))?;
            let others = function.calls.keys().filter(|callee| *callee != from);
            let other = others.filter_map(inner).max()?;
            Some((at, *times == 1 && other + 2 < at))
        })
        // right before it lies more than what wraps an abort
        .and_then(|(at, is_panics_alone)| is_panics_alone.then_some(at))
}

/// Where the function begins and ends that this place in a module is in.
pub fn body_around(original: &[u8], place: u64) -> Option<Range<u64>> {
    for payload in Parser::new(0).parse_all(original) {
        if let Payload::CodeSectionEntry(body) = payload.ok()? {
            let range = body.range();
            let range = range.start as u64..range.end as u64;
            if range.contains(&place) {
                return Some(range);
            }
        }
    }
    None
}

/// A function on the stack, and how often it calls which.
struct Function {
    index: u32,
    calls: HashMap<u32, usize>,
}

/// The functions that these places are in.
fn functions(original: &[u8], stack: &[u64]) -> Option<Vec<Function>> {
    let mut found: Vec<Option<Function>> = stack.iter().map(|_| None).collect();
    let mut index = 0;
    for payload in Parser::new(0).parse_all(original) {
        match payload.ok()? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let ty = import.ok()?.ty;
                    index += u32::from(matches!(ty, TypeRef::Func(_) | TypeRef::FuncExact(_)));
                }
            }
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                for (at, offset) in stack.iter().enumerate() {
                    if !usize::try_from(*offset).is_ok_and(|offset| range.contains(&offset)) {
                        continue;
                    }
                    let mut calls = HashMap::new();
                    let mut operators = body.get_operators_reader().ok()?;
                    while !operators.eof() {
                        if let Operator::Call { function_index } = operators.read().ok()? {
                            *calls.entry(function_index).or_default() += 1;
                        }
                    }
                    found[at] = Some(Function { index, calls });
                }
                index += 1;
            }
            _ => {}
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module of functions that call each other: 0 is `abort`.
    fn module(bodies: &[&[u32]]) -> Vec<u8> {
        let bodies = bodies.iter().map(|calls| {
            let calls: String = calls.iter().map(|to| format!("call {to} ")).collect();
            format!("(func {calls} unreachable)")
        });
        wat::parse_str(format!("(module {})", bodies.collect::<String>())).expect("it is one")
    }

    /// Where in its body each of these functions ends.
    fn stack(module: &[u8], functions: &[usize]) -> Vec<u64> {
        let mut ends = Vec::new();
        for payload in Parser::new(0).parse_all(module) {
            if let Payload::CodeSectionEntry(body) = payload.expect("it is one") {
                ends.push(body.range().end as u64 - 1);
            }
        }
        functions.iter().map(|at| ends[*at]).collect()
    }

    #[test]
    fn what_lies_between_a_panic_and_an_abort_is_a_panics_alone() {
        // abort, abort_internal, process::abort, __rust_abort, __rust_start_panic, rust_panic,
        // the hook's caller, which aborts as well, and a function that panics
        let usual = module(&[&[], &[0], &[1], &[2], &[3], &[4], &[2, 5, 2], &[6, 6]]);
        let panic = stack(&usual, &[0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(panic_path(&usual, &panic), Some(6));
        // rust_panic that aborts if a panic does not start
        let debug = module(&[&[], &[0], &[1], &[2], &[3], &[4, 2], &[2, 5, 2], &[6, 6]]);
        let panic = stack(&debug, &[0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(panic_path(&debug, &panic), Some(5));
    }

    #[test]
    fn what_could_be_an_abort_is_no_panic() {
        // all of the panic's own is inlined into what calls the hook
        let inlined = module(&[&[], &[0], &[1], &[2, 2, 2], &[3, 3]]);
        assert_eq!(
            panic_path(&inlined, &stack(&inlined, &[0, 1, 2, 3, 4])),
            None
        );
        // one function wraps an abort, and may be another way to it
        let wraps = module(&[&[], &[0], &[1], &[2, 1], &[3]]);
        assert_eq!(panic_path(&wraps, &stack(&wraps, &[0, 1, 2, 3, 4])), None);
        // it starts panics in two places, of which one may be no panic's
        let twice = module(&[&[], &[0], &[1], &[2], &[3, 3, 0]]);
        assert_eq!(panic_path(&twice, &stack(&twice, &[0, 1, 2, 3, 4])), None);
        let recursive = module(&[&[], &[0], &[1], &[2], &[3, 0]]);
        let stack = stack(&recursive, &[0, 1, 2, 3, 3, 4]);
        assert_eq!(panic_path(&recursive, &stack), None);
        for stack in [&[][..], &[1 << 40], &[0]] {
            assert_eq!(panic_path(&recursive, stack), None);
        }
    }
}
