//! The code that is put in: new bodies, and the call that leads to them.

use wasm_encoder::{BlockType, Function, MemArg, ValType};

/// What the C ABI keeps the stack aligned to, twice: a result, and a name.
const FRAME: i32 = 32;
/// Where in that the name lies.
const NAME: u64 = 16;
/// A variable's name, followed by what no variable's name can hold.
const TMPDIR: [u8; 8] = *b"TMPDIR=\0";

/// `temp_dir(out)`: what std's look-up says of `TMPDIR`, or what the old body does.
///
/// The look-up writes an `Option<OsString>`. How it writes `None` is not laid down, so it is first
/// asked for `TMPDIR=`, which can be no variable, with a place of our own as its result. Where the
/// first word of that is then above what any capacity can be, `None` is told by that word, and
/// everything else that it writes there is an `OsString`, which is all that a `PathBuf` is. Where it
/// is not, the caller's place, which has room for no more than a `PathBuf`, is not written to.
pub(super) fn temp_dir(look_up: u32, stack_pointer: u32, old: u32) -> Vec<u8> {
    let (out, frame) = (0, 1);
    let at = |offset| MemArg {
        offset,
        align: 2,
        memory_index: 0,
    };
    let mut body = Function::new([(1, ValType::I32)]);
    let mut asks = body.instructions();
    asks.global_get(stack_pointer)
        .i32_const(FRAME)
        .i32_sub()
        .local_tee(frame)
        .global_set(stack_pointer);
    asks.local_get(frame)
        .i64_const(i64::from_le_bytes(TMPDIR))
        .i64_store(at(NAME));
    asks.local_get(frame).i32_const(0).i32_store(at(0));
    let name = |length: i32, result: u32, asks: &mut wasm_encoder::InstructionSink<'_>| {
        asks.local_get(result)
            .local_get(frame)
            .i32_const(NAME as i32)
            .i32_add()
            .i32_const(length)
            .call(look_up);
    };
    name(7, frame, &mut asks);
    asks.local_get(frame)
        .i32_load(at(0))
        .i32_const(0)
        .i32_lt_s()
        .if_(BlockType::Empty);
    name(6, out, &mut asks);
    asks.local_get(out)
        .i32_load(at(0))
        .i32_const(0)
        .i32_ge_s()
        .if_(BlockType::Empty);
    asks.local_get(frame)
        .i32_const(FRAME)
        .i32_add()
        .global_set(stack_pointer)
        .return_()
        .end()
        .end();
    asks.local_get(frame)
        .i32_const(FRAME)
        .i32_add()
        .global_set(stack_pointer);
    asks.local_get(out).call(old).end();
    body.into_raw_body()
}

/// `id()`: what the host has set, or what the old body does.
pub(super) fn process_id(global: u32, old: u32) -> Vec<u8> {
    let mut body = Function::new([]);
    body.instructions()
        .global_get(global)
        .if_(BlockType::Result(ValType::I32))
        .global_get(global)
        .else_()
        .call(old)
        .end()
        .end();
    body.into_raw_body()
}

/// By which the host sets it.
pub(super) fn set_process_id(global: u32) -> Vec<u8> {
    let mut body = Function::new([]);
    body.instructions().local_get(0).global_set(global).end();
    body.into_raw_body()
}
