//! The code that takes the place of `main`.

use super::MainResult;
use wasm_encoder::{BlockType, Function, MemArg};

/// Room in the frame for whatever a test gives: as much as the largest that `Result<(), String>`
/// has been, several times over, and a multiple of what the stack is aligned to.
const FRAME: i32 = 64;

/// `main`: calls the function at the chosen place in the table and keeps the first word of what it
/// gives; does what it did before where none is chosen.
pub(super) fn main(
    result: MainResult,
    (ty, stack_pointer): (u32, u32),
    (chosen, gave): (u32, u32),
    old: u32,
) -> Vec<u8> {
    let first = MemArg {
        offset: 0,
        align: 2,
        memory_index: 0,
    };
    let mut body = Function::new([]);
    let mut does = body.instructions();
    does.global_get(chosen).if_(BlockType::Empty);
    does.global_get(stack_pointer)
        .i32_const(FRAME)
        .i32_sub()
        .global_set(stack_pointer);
    does.global_get(stack_pointer)
        .global_get(chosen)
        .call_indirect(0, ty);
    // whatever runs has put the pointer back where it was
    does.global_get(stack_pointer)
        .i32_load(first)
        .global_set(gave);
    does.global_get(stack_pointer)
        .i32_const(FRAME)
        .i32_add()
        .global_set(stack_pointer);
    if result == MainResult::ExitCode {
        // success: what became of the test is told by what it gave
        does.i32_const(0);
    }
    does.return_().end().call(old).end();
    body.into_raw_body()
}
