use super::*;
use crate::instrument::strip::strip;
use wasmparser::{FunctionBody, Payload, Validator};
use wasmtime::{Engine, Instance, Module, Store, Trap};

/// Where std says that it panics.
const STDS: &str = "/rustc/ab/library/std/src/sys/x.rs";

/// As much of std as matters: two functions that panic, a look-up of a variable, which finds
/// `TMPDIR` if `$there` is set and writes `NONE` otherwise, and who calls them.
const STD: &str = r#"(module
    (memory (export "memory") 2)
    (global $__stack_pointer (export "sp") (mut i32) (i32.const 65536))
    (global $there (export "there") (mut i32) (i32.const 0))
    (data (i32.const 1024) "\20\04\00\00\22\00\00\00\01\00\00\00\01\00\00\00")
    (data (i32.const 1056) "/rustc/ab/library/std/src/sys/x.rs")
    (func $before (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
    (func $panic_fmt (param i32 i32 i32) unreachable)
    (func $_RNvNtCs1a_3std3env8temp_dir (param i32)
        (call $panic_fmt (i32.const 0) (i32.const 43) (i32.const 1024)) unreachable)
    (func $_RNvNtCs1a_3std7process2id (result i32)
        (call $panic_fmt (i32.const 0) (i32.const 43) (i32.const 1024)) unreachable)
    (func $_RNvNtCs1a_3std3env7__var_os (param i32 i32 i32)
        (if (i32.and (global.get $there)
                (i32.and (i32.eq (local.get 2) (i32.const 6))
                    (i64.eq (i64.shl (i64.load (local.get 1)) (i64.const 16))
                        (i64.const 0x5249_4450_4d54_0000))))
            (then
                (i32.store (local.get 0) (i32.const 4))
                (i32.store offset=4 (local.get 0) (i32.const 3000))
                (i32.store offset=8 (local.get 0) (i32.const 4)))
            (else NONE)))
    (func $dir (export "dir") (result i32)
        (call $_RNvNtCs1a_3std3env8temp_dir (i32.const 2048))
        (i32.load offset=4 (i32.const 2048)))
    (func $id (export "id") (result i32) (call $_RNvNtCs1a_3std7process2id))
    (func $after (export "after") (param i32) (result i32) (call $before (local.get 0)))
    MORE)"#;

/// Writes a word where the result is to be.
fn none(word: i64) -> String {
    format!("(i32.store (local.get 0) (i32.const {word}))")
}

fn std_with(none: &str, more: &str) -> String {
    STD.replace("NONE", none).replace("MORE", more)
}

fn usual() -> String {
    std_with(&none(0x8000_0000), "")
}

fn assembled(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).unwrap_or_else(|e| panic!("{e}: {wat}"))
}

fn filled(wat: &str) -> PassOutput<'static, Gaps> {
    let bytes = assembled(wat);
    let stripped = strip(&bytes);
    let filled = fill(&bytes, &stripped.bytes);
    PassOutput {
        bytes: filled.bytes.into_owned().into(),
        offsets: filled.offsets,
        facts: filled.facts,
    }
}

/// The filled module, running.
struct Running {
    store: Store<()>,
    instance: Instance,
}

impl Running {
    fn new(wat: &str) -> Running {
        let filled = filled(wat);
        assert_eq!(filled.facts.temp_dir, Gap::Filled);
        assert_eq!(filled.facts.process_id, Gap::Filled);
        let engine = Engine::default();
        let module = Module::new(&engine, filled.bytes).expect("it is valid");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("an instance");
        Running { store, instance }
    }

    fn is_there(&mut self, there: bool) {
        let global = self.instance.get_global(&mut self.store, "there");
        let global = global.expect("it is exported");
        global
            .set(&mut self.store, i32::from(there).into())
            .expect("it is mutable");
    }

    fn call(&mut self, name: &str) -> Result<i32, Trap> {
        let called = self
            .instance
            .get_typed_func::<(), i32>(&mut self.store, name)
            .expect("it is exported")
            .call(&mut self.store, ());
        let sp = self.instance.get_global(&mut self.store, "sp");
        let sp = sp.expect("it is exported").get(&mut self.store);
        assert_eq!(sp.i32(), Some(65536), "the stack is as it was");
        called.map_err(|e| *e.downcast_ref::<Trap>().expect("a trap"))
    }

    fn word(&mut self, at: usize) -> u32 {
        let memory = self.instance.get_memory(&mut self.store, "memory");
        let data = memory.expect("it is exported").data(&self.store);
        u32::from_le_bytes(data[at..at + 4].try_into().expect("four bytes"))
    }
}

#[test]
fn temp_dir_is_the_variable_and_panics_where_there_is_none() {
    for word in [0x8000_0000, 0xffff_ffff] {
        let mut running = Running::new(&std_with(&none(word), ""));
        assert_eq!(running.call("dir"), Err(Trap::UnreachableCodeReached));
        running.is_there(true);
        assert_eq!(running.call("dir"), Ok(3000));
    }
}

#[test]
fn a_result_that_is_not_laid_out_as_known_is_never_written_over_the_callers() {
    let others = [
        // a tag of 0 or 1, or a pointer that is null
        none(0),
        none(1),
        // another word tells
        "(i32.store offset=4 (local.get 0) (i32.const 0x8000_0000))".to_owned(),
        "(nop)".to_owned(),
    ];
    for none in others {
        let mut running = Running::new(&std_with(&none, ""));
        for there in [false, true] {
            running.is_there(there);
            assert_eq!(running.call("dir"), Err(Trap::UnreachableCodeReached));
            assert_eq!(running.word(2048), 0, "{none}");
            assert_eq!(running.word(2052), 0, "{none}");
        }
    }
}

#[test]
fn the_process_has_the_number_that_was_set_and_none_before() {
    let mut running = Running::new(&usual());
    assert_eq!(running.call("id"), Err(Trap::UnreachableCodeReached));
    let set = running
        .instance
        .get_typed_func::<u32, ()>(&mut running.store, SET_PROCESS_ID)
        .expect("it is exported");
    set.call(&mut running.store, 4321).expect("it is set");
    assert_eq!(running.call("id"), Ok(4321));
    assert_eq!(running.call("id"), Ok(4321));
}

/// `(temp_dir, process_id)`
fn left(wat: &str) -> (Gap, Gap) {
    let filled = filled(wat);
    let changed = filled.bytes != strip(&assembled(wat)).bytes;
    assert_eq!(filled.facts.is_filled(), changed);
    let (dir, id) = (filled.facts.temp_dir, filled.facts.process_id);
    (dir, id)
}

#[test]
fn nothing_is_changed_that_is_not_as_it_is_known() {
    let dir = "$_RNvNtCs1a_3std3env8temp_dir";
    let look_up = "$_RNvNtCs1a_3std3env7__var_os";
    let more = |more: &str| std_with(&none(0x8000_0000), more);
    let with = |from: &str, to: &str| {
        let wat = usual();
        assert!(wat.contains(from), "{from}");
        wat.replace(from, to)
    };
    let cases = [
        (with(dir, "$temp_dir"), Left::Absent),
        (
            more("(func $_RNvNtCs2b_3std3env8temp_dir (param i32))"),
            Left::SeveralOfItsName,
        ),
        (
            with(dir, "$_ZN3std3env8temp_dir17h0123456789abcdefE"),
            Left::Mangling,
        ),
        (
            usual()
                .replace("temp_dir (param i32)", "temp_dir")
                .replace("temp_dir (i32.const 2048)", "temp_dir"),
            Left::OtherType,
        ),
        (
            with(STDS, "/rustc/ab/libraries/my/std/sy/x.rs"),
            Left::OtherBody,
        ),
        // a developer's own, as cargo names what lies in a workspace
        (
            with(STDS, "library/std/src/sys/env/my/own1.rs"),
            Left::OtherBody,
        ),
        (
            with(
                "temp_dir (param i32)",
                "temp_dir (param i32) (i32.store (local.get 0) (i32.const 0))",
            ),
            Left::OtherBody,
        ),
        (
            with(
                "temp_dir (param i32)",
                "temp_dir (param i32) (drop (local.get 0))",
            ),
            Left::OtherBody,
        ),
        (
            with(
                "temp_dir (param i32)",
                "temp_dir (param i32) (br_if 0 (i32.const 1024))",
            ),
            Left::OtherBody,
        ),
        (
            more(&format!(
                "(table 1 funcref) (elem (i32.const 0) func {dir})"
            )),
            Left::Referred,
        ),
        (
            more(&format!(
                "(elem declare func {dir}) (func (drop (ref.func {dir})))"
            )),
            Left::Referred,
        ),
        (
            more(&format!(
                "(table 1 funcref) (elem (i32.const 0) funcref (ref.func {dir}))"
            )),
            Left::Referred,
        ),
        (
            more(&format!("(global funcref (ref.func {dir}))")),
            Left::Referred,
        ),
        (
            more(&format!("(export \"t\" (func {dir}))")),
            Left::Referred,
        ),
        (with(look_up, "$var_os"), Left::NoLookUp),
        (
            with(look_up, "$_RNvNtCs2b_3std3env7__var_os"),
            Left::NoLookUp,
        ),
        (
            with(
                "7__var_os (param i32 i32 i32)",
                "7__var_os (param i32 i32 i32) (result i32) (i32.const 0)",
            ),
            Left::NoLookUp,
        ),
        (
            with("$__stack_pointer", "$stack_pointer"),
            Left::NoStackPointer,
        ),
    ];
    for (wat, why) in cases {
        let (dir, id) = left(&wat);
        assert_eq!(dir, Gap::of(&Err(why.clone())), "{wat}");
        // where it is the only one that is not as known, the other works
        if why != Left::OtherBody || wat.contains(STDS) {
            assert_eq!(id, Gap::Filled, "{wat}");
        }
    }
    let both = [
        (
            usual().replace(
                "(memory (export \"memory\") 2)",
                "(import \"a\" \"m\" (memory 2))",
            ),
            "it imports its memory",
        ),
        (
            more("(export \"wasmtest:set-process-id\" (func $before))"),
            "it exports a name of wasmtest's own",
        ),
        (
            more("(@custom \"metadata.code.branch_hint\" (before code) \"\\00\")"),
            "it has hints for the compiler",
        ),
    ];
    for (wat, why) in both {
        let gap = Gap::of(&Err(Left::Unusual(why)));
        assert_eq!(left(&wat), (gap.clone(), gap), "{wat}");
    }
    let bytes = assembled(&usual());
    let unnamed = strip(&bytes).bytes;
    let filled = fill(&unnamed, &unnamed);
    assert_eq!(filled.facts.temp_dir, Gap::of(&Err(Left::NoNames)));
    assert_eq!(filled.bytes, unnamed);
    assert_eq!(filled.offsets, OffsetMap::default());
}

#[test]
fn callers_that_end_where_they_call_keep_it_from_returning() {
    let dir = "(call $_RNvNtCs1a_3std3env8temp_dir (i32.const 2048))";
    let ends = [
        format!("(func {dir} unreachable)"),
        format!("(func (block (block {dir} (br 1)) nop) unreachable)"),
        format!("(func (param i32) (if (local.get 0) (then {dir}) (else nop)) unreachable)"),
        format!("(func (loop {dir} (block (br 0)) unreachable))"),
        format!("(func (result i32) {dir} (global.set $there (i32.const 1)) unreachable)"),
        // whichever way it goes
        format!("(func (param i32) {dir} (if (local.get 0) (then unreachable)) unreachable)"),
        format!(
            "(func (param i32) {dir} (if (i32.eqz (local.get 0)) (then unreachable) (else (return))))
             (func $v (param i32) {dir} (block (br_if 0 (local.get 0)) unreachable) unreachable)"
        ),
        format!(
            "(func (param i32) (block (block {dir} (br_table 0 1 (local.get 0))) unreachable) unreachable)"
        ),
        format!("(func (result i32) {dir} {} unreachable)", "(drop (i32.const 1))".repeat(100)),
        // one that only passes it on
        format!("(func $w {dir}) (func $v (call $w) (return)) (func (call $v) unreachable)"),
        String::from(
            "(func $w (param i32) (return_call $_RNvNtCs1a_3std3env8temp_dir (local.get 0))) (func (call $w (i32.const 0)) unreachable)",
        ),
    ];
    for more in ends {
        let (gap, id) = left(&std_with(&none(0x8000_0000), &more));
        assert_eq!(gap, Gap::of(&Err(Left::CallersEnd)), "{more}");
        assert_eq!(id, Gap::Filled);
    }
    let go_on = [
        format!("(func {dir})"),
        format!(
            "(func {dir} (call $panic_fmt (i32.const 1) (i32.const 1) (i32.const 1)) unreachable)"
        ),
        format!("(func (result i32) {dir} (i32.load (i32.const 2048)) (return) unreachable)"),
        format!("(func (param i32) {dir} (br_if 0 (local.get 0)) unreachable)"),
        format!(
            "(func (param i32) {dir} (if (local.get 0) (then (call $w)) (else unreachable))) (func $w)"
        ),
        format!(
            "(func (param i32) {dir} (block (block (br_table 0 1 1 (local.get 0)) (i32.store (i32.const 0) (i32.const 0))) return) unreachable)"
        ),
        format!("(func (param i32) {dir} (loop (br 0)))"),
        // it calls itself for ever
        format!("(func $w {dir} (call $w))"),
    ];
    for more in go_on {
        let (gap, _) = left(&std_with(&none(0x8000_0000), &more));
        assert_eq!(gap, Gap::Filled, "{more}");
    }
}

fn bodies(module: &[u8]) -> Vec<FunctionBody<'_>> {
    let payloads = Parser::new(0).parse_all(module);
    let bodies = payloads.filter_map(|payload| match payload.expect("it parses") {
        Payload::CodeSectionEntry(body) => Some(body),
        _ => None,
    });
    bodies.collect()
}

fn code_start(module: &[u8]) -> usize {
    let mut payloads = Parser::new(0).parse_all(module);
    let found = payloads.find_map(|payload| match payload.expect("it parses") {
        Payload::CodeSectionStart { range, .. } => Some(range.start),
        _ => None,
    });
    found.expect("it has code")
}

#[test]
fn every_offset_leads_back_and_none_in_the_code_section_moves() {
    // with 125 functions its number takes a byte more afterwards
    for (functions, moves) in [(0, 0), (117, 1), (300, 0)] {
        let wat = std_with(&none(0x8000_0000), &"(func nop)".repeat(functions));
        let bytes = assembled(&wat);
        let original = strip(&bytes).bytes;
        let filled = fill(&bytes, &original);
        let (module, moved) = (filled.bytes, filled.offsets);
        Validator::new().validate_all(&module).expect("it is valid");
        let (old, new) = (bodies(&original), bodies(&module));
        assert_eq!(new.len(), old.len() + 5);
        let (old_code, new_code) = (code_start(&original), code_start(&module));
        for (at, (old, new)) in old.iter().zip(&new).enumerate() {
            let (old, new) = (old.range(), new.range());
            assert_eq!(old.len(), new.len());
            assert_eq!(old.start - old_code + moves, new.start - new_code);
            for place in 0..new.len() {
                assert_eq!(moved.original(new.start + place), old.start + place, "{at}");
            }
            assert_eq!(moved.function(new.start, at as u32), at as u32);
        }
        // two for each, the second of them a copy, then the one that sets the number
        for (at, of) in [(0, 2), (2, 3)] {
            let was = old[of].range();
            let stands_for = new[old.len() + at].range();
            assert_eq!(moved.original(stands_for.start), was.start);
            assert_eq!(moved.original(stands_for.end - 1), was.start);
            let copy = new[old.len() + at + 1].range();
            assert_eq!(module[copy.clone()], original[was.clone()]);
            for place in 0..copy.len() {
                assert_eq!(moved.original(copy.start + place), was.start + place);
            }
            for added in [at, at + 1] {
                let added = old.len() + added;
                let inside = new[added].range().end - 1;
                assert_eq!(moved.function(inside, added as u32), of as u32);
            }
        }
    }
}

#[test]
fn a_module_whose_memory_comes_from_outside_is_filled_in_as_well() {
    let bytes = assembled(&usual());
    let rewritten = crate::instrument::rewrite(&bytes).expect("it is understood");
    let stripped = rewritten.then(strip);
    let filled = stripped.then(|module| fill(&bytes, module));
    assert_eq!(filled.facts.temp_dir, Gap::Filled);
    let module = &filled.bytes;
    Validator::new().validate_all(module).expect("it is valid");
    // through all three, from every byte of every function
    for (old, new) in bodies(&bytes).iter().zip(bodies(module)) {
        let (old, new) = (old.range(), new.range());
        for place in 0..old.len() {
            let original = filled.offsets.original(new.start + place);
            assert_eq!(original, old.start + place);
        }
    }
}

#[test]
fn what_is_damaged_does_no_harm() {
    let good = assembled(&usual());
    for at in 0..good.len() {
        let cut = &good[..at];
        fill(cut, cut);
        for byte in [0, 1, 2, 0x0b, 0x7f, 0x80, 0xff] {
            let mut changed = good.clone();
            changed[at] = byte;
            fill(&changed, &changed);
            // what is compiled may be another file than the one with the names
            fill(&good, &changed);
        }
    }
}

/// A component of this core module, which is instantiated so often.
fn component(module: &str, instances: usize) -> String {
    let module = module.replacen("(module", "(core module $m", 1);
    let instances = "(core instance (instantiate $m))".repeat(instances);
    format!(
        "(component
            (core module (func (export \"other\")))
            {module}
            (core instance (instantiate 0))
            {instances}
            (component (core module (memory 1)))
            (func $id (result u32) (canon lift (core func 1 \"id\")))
            (export \"id\" (func $id)))"
    )
}

#[test]
fn a_component_has_its_one_module_filled_in() {
    let wat = component(&usual(), 1);
    let filled = filled(&wat);
    assert_eq!(filled.facts.temp_dir, Gap::Filled);
    assert_eq!(filled.facts.process_id, Gap::Filled);
    let engine = Engine::default();
    let component =
        wasmtime::component::Component::new(&engine, &filled.bytes).expect("it is valid");
    let mut store = Store::new(&engine, ());
    let instance = wasmtime::component::Linker::new(&engine)
        .instantiate(&mut store, &component)
        .expect("an instance");
    let set = instance
        .get_typed_func::<(u32,), ()>(&mut store, SET_PROCESS_ID_IN_COMPONENT)
        .expect("it is exported");
    set.call(&mut store, (77,)).expect("it is set");
    let id = instance
        .get_typed_func::<(), (u32,)>(&mut store, "id")
        .expect("it is exported");
    assert_eq!(id.call(&mut store, ()).expect("it returns"), (77,));
}

#[test]
fn a_component_that_is_put_together_otherwise_is_left_alone() {
    let (dir, id) = left(&component(&usual(), 2));
    assert_eq!(dir, Gap::Filled);
    assert_eq!(
        id,
        Gap::of(&Err(Left::Unusual("it is not instantiated once")))
    );
    let two = component(&usual(), 1).replacen("(func (export \"other\"))", "(memory 1)", 1);
    let several = Gap::of(&Err(Left::Unusual("several of its modules have memories")));
    assert_eq!(left(&two), (several.clone(), several));
    assert_eq!(left("(component)"), (Gap::Absent, Gap::Absent));
}
