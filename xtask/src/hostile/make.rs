//! Modules of the corpus: assembled from an entry's text, or made where a file would be large.

use super::entry::Entry;
use anyhow::{Context as _, Result, bail};
use std::borrow::Cow;
use std::fs::File;
use std::path::Path;
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, CustomSection, DataSection, Encode as _, EntityType,
    ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection,
    Instruction, MemorySection, MemoryType, Module, RawSection, Section, SectionId, TypeSection,
    ValType,
};

/// Writes an entry's module to a file.
///
/// # Errors
/// If its text does not assemble, what it names is not made here, or it cannot be written.
pub fn module(entry: &Entry, file: &Path) -> Result<()> {
    let Some((what, number)) = &entry.make else {
        return Ok(std::fs::write(file, wat::parse_file(&entry.path)?)?);
    };
    if what == "hole" {
        // mebibytes of nothing behind a right beginning, which take no room on the disk
        std::fs::write(file, Module::HEADER)?;
        File::options()
            .write(true)
            .open(file)?
            .set_len(number << 20)?;
        return Ok(());
    }
    let count = usize::try_from(*number)?;
    let bytes = match what.as_str() {
        "empty-functions" => Parts::functions(count).module(),
        "types" => types(count),
        "globals" => globals(count),
        "exports" => exports(count),
        "imports" => imports(count),
        "nested-loops" => {
            Parts::code(|f| nested(f, count, &Instruction::Loop(BlockType::Empty))).module()
        }
        "nested-ifs" => Parts::code(|f| {
            f.instruction(&Instruction::I32Const(1));
            for _ in 0..count {
                f.instruction(&Instruction::If(BlockType::FunctionType(1)));
                f.instruction(&Instruction::I32Const(1));
            }
            f.instruction(&Instruction::Drop);
            for _ in 0..count {
                f.instruction(&Instruction::End);
            }
        })
        .module(),
        "deep-expression" => Parts::code(|f| {
            for _ in 0..=count {
                f.instruction(&Instruction::I32Const(1));
            }
            for _ in 0..count {
                f.instruction(&Instruction::I32Add);
            }
            f.instruction(&Instruction::Drop);
        })
        .module(),
        "branch-targets" => Parts::code(|f| {
            f.instruction(&Instruction::I32Const(0));
            f.instruction(&Instruction::BrTable(vec![0; count].into(), 0));
        })
        .module(),
        "locals" => Parts::with_locals(u32::try_from(*number)?).module(),
        "parameters" => parameters(count),
        "custom-section" => {
            let data = vec![0; count];
            Parts::functions(1).with(&[custom("junk", &data)])
        }
        "data-segments" => data_segments(count),
        "names" => Parts::functions(1).with(&[custom("name", &names(count))]),
        "shared-ranges" => Parts::code(|f| {
            f.instruction(&Instruction::Unreachable);
        })
        .with(&shared_ranges(count)),
        "sdk-tests" => sdk(&(0..count)
            .map(|n| test(&format!("x::t{n}"), &[]))
            .collect::<Vec<_>>()),
        "sdk-same-name" => sdk(&(0..count).map(|_| test("x::same", &[])).collect::<Vec<_>>()),
        "sdk-long-name" => sdk(&[test(&format!("x::{}", "n".repeat(count)), &[])]),
        "sdk-setups" => {
            let setups = (0..count).flat_map(|n| {
                let suite = format!("x::s{n}");
                let hook = [(1, format!("{suite}::up")), (14, "setup".into())];
                [
                    record(2, &[(1, suite), (12, "shared".into())]),
                    record(4, &hook),
                ]
            });
            sdk(&setups.chain([test("x::t", &[])]).collect::<Vec<_>>())
        }
        "sdk-needs-chain" => {
            let fixtures = (0..count).map(|n| {
                let needs = [(1, format!("x::f{n}")), (13, format!("x::f{}", n + 1))];
                record(3, &needs)
            });
            let last = record(3, &[(1, format!("x::f{count}"))]);
            let first = test("x::t", &[(13, "x::f0")]);
            sdk(&fixtures.chain([last, first]).collect::<Vec<_>>())
        }
        "sdk-nested-suites" => {
            let path = |depth: usize| format!("x{}", "::s".repeat(depth));
            let suites = (1..=count).map(|n| record(2, &[(1, path(n))]));
            let inner = test(&format!("{}::t", path(count)), &[]);
            sdk(&suites.chain([inner]).collect::<Vec<_>>())
        }
        "libtest-list" => libtest_list(count, |n| format!("t{n}: test\n")),
        "libtest-same-name" => libtest_list(count, |_| "same: test\n".into()),
        "libtest-long-name" => libtest_list(1, |_| format!("{}: test\n", "n".repeat(count))),
        "nested-components" => nested_components(count),
        other => bail!("{}: `{other}` is not made here", entry.path.display()),
    };
    std::fs::write(file, bytes).context("the module cannot be written")
}

/// A program: a type, functions, `_start`, which is the first of them.
struct Parts {
    functions: usize,
    code: CodeSection,
}

impl Parts {
    fn functions(count: usize) -> Parts {
        let mut code = CodeSection::new();
        for _ in 0..count {
            let mut body = Function::new([]);
            body.instruction(&Instruction::End);
            code.function(&body);
        }
        Parts {
            functions: count,
            code,
        }
    }

    fn code(write: impl FnOnce(&mut Function)) -> Parts {
        let mut body = Function::new([]);
        write(&mut body);
        body.instruction(&Instruction::End);
        let mut code = CodeSection::new();
        code.function(&body);
        Parts { functions: 1, code }
    }

    fn with_locals(count: u32) -> Parts {
        let mut body = Function::new([(count, ValType::I64)]);
        body.instruction(&Instruction::End);
        let mut code = CodeSection::new();
        code.function(&body);
        Parts { functions: 1, code }
    }

    fn module(&self) -> Vec<u8> {
        self.with(&[])
    }

    fn with(&self, sections: &[CustomSection<'_>]) -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        types.ty().function([], []);
        let mut functions = FunctionSection::new();
        for _ in 0..self.functions {
            functions.function(0);
        }
        let mut module = Module::new();
        module
            .section(&types)
            .section(&functions)
            .section(&start())
            .section(&self.code);
        for section in sections {
            module.section(section);
        }
        module.finish()
    }
}

fn start() -> ExportSection {
    let mut exports = ExportSection::new();
    exports.export("_start", ExportKind::Func, 0);
    exports
}

fn custom<'a>(name: &'a str, data: &'a [u8]) -> CustomSection<'a> {
    CustomSection {
        name: name.into(),
        data: Cow::Borrowed(data),
    }
}

fn nested(f: &mut Function, depth: usize, open: &Instruction<'_>) {
    for _ in 0..depth {
        f.instruction(open);
    }
    for _ in 0..depth {
        f.instruction(&Instruction::End);
    }
}

/// A program with one more section where it belongs.
fn program(section: &dyn Section, imports: u32) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut exports = ExportSection::new();
    exports.export("_start", ExportKind::Func, imports);
    let code = Parts::functions(1).code;
    let mut sections: Vec<&dyn Section> = vec![&types, &functions, section, &exports, &code];
    if section.id() == SectionId::Import as u8 {
        sections.swap(1, 2);
    }
    assemble(&sections)
}

fn assemble(sections: &[&dyn Section]) -> Vec<u8> {
    let mut bytes = Module::HEADER.to_vec();
    for section in sections {
        section.append_to(&mut bytes);
    }
    bytes
}

fn types(count: usize) -> Vec<u8> {
    let mut types = TypeSection::new();
    for _ in 0..count {
        types.ty().function([], []);
    }
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&start());
    module.section(&Parts::functions(1).code);
    module.finish()
}

fn globals(count: usize) -> Vec<u8> {
    let mut globals = GlobalSection::new();
    let ty = GlobalType {
        val_type: ValType::I64,
        mutable: true,
        shared: false,
    };
    for _ in 0..count {
        globals.global(ty, &ConstExpr::i64_const(0));
    }
    program(&globals, 0)
}

fn exports(count: usize) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut exports = start();
    for n in 0..count {
        exports.export(&format!("e{n}"), ExportKind::Func, 0);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&exports);
    module.section(&Parts::functions(1).code);
    module.finish()
}

fn imports(count: usize) -> Vec<u8> {
    let mut imports = ImportSection::new();
    for n in 0..count {
        imports.import("env", &format!("f{n}"), EntityType::Function(0));
    }
    program(&imports, u32::try_from(count).unwrap_or(0))
}

fn parameters(count: usize) -> Vec<u8> {
    let mut types = TypeSection::new();
    types
        .ty()
        .function(std::iter::repeat_n(ValType::I64, count), []);
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    functions.function(1);
    functions.function(0);
    let mut code = Parts::functions(2).code;
    let mut calls = Function::new([]);
    for _ in 0..count {
        calls.instruction(&Instruction::I64Const(0));
    }
    calls
        .instruction(&Instruction::Call(1))
        .instruction(&Instruction::End);
    code.function(&calls);
    functions.function(1);
    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&start())
        .section(&code);
    module.finish()
}

fn data_segments(count: usize) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut memories = MemorySection::new();
    memories.memory(memory(1));
    let mut data = DataSection::new();
    for _ in 0..count {
        data.active(0, &ConstExpr::i32_const(0), [1]);
    }
    let code = Parts::functions(1).code;
    assemble(&[&types, &functions, &memories, &start(), &code, &data])
}

fn memory(minimum: u64) -> MemoryType {
    MemoryType {
        minimum,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    }
}

/// A name section that names one function again and again.
fn names(count: usize) -> Vec<u8> {
    let mut map = Vec::new();
    count.encode(&mut map);
    for _ in 0..count {
        0u32.encode(&mut map);
        "n".encode(&mut map);
    }
    let mut section = vec![1];
    map.encode(&mut section);
    section
}

/// Debug information: so many units that share one list of as many ranges.
fn shared_ranges(count: usize) -> Vec<CustomSection<'static>> {
    // one abbreviation: a unit without children that has ranges and a low address
    let abbreviations = vec![1, 0x11, 0, 0x55, 0x17, 0x11, 0x01, 0, 0, 0];
    let mut units = Vec::new();
    for _ in 0..count {
        let mut unit = Vec::new();
        unit.extend(4u16.to_le_bytes());
        unit.extend(0u32.to_le_bytes());
        unit.push(4);
        unit.push(1);
        unit.extend(0u32.to_le_bytes());
        unit.extend(0u32.to_le_bytes());
        units.extend(u32::try_from(unit.len()).unwrap_or(0).to_le_bytes());
        units.extend(unit);
    }
    let mut ranges = Vec::new();
    for n in 0..u32::try_from(count).unwrap_or(0) {
        ranges.extend((2 * n + 1).to_le_bytes());
        ranges.extend((2 * n + 2).to_le_bytes());
    }
    ranges.extend([0; 8]);
    let section = |name: &'static str, data: Vec<u8>| CustomSection {
        name: name.into(),
        data: data.into(),
    };
    vec![
        section(".debug_abbrev", abbreviations),
        section(".debug_info", units),
        section(".debug_ranges", ranges),
    ]
}

/// The kind of a suite's record: all others are of functions.
const SUITE: u8 = 2;

/// A record of the SDK's section: a kind, and fields by their tags.
fn record(kind: u16, fields: &[(u8, String)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (tag, text) in fields {
        body.push(*tag);
        body.extend(u32::try_from(text.len()).unwrap_or(0).to_le_bytes());
        body.extend(text.as_bytes());
    }
    let mut record = b"wt".to_vec();
    for number in [2, 0, 1, 0, kind] {
        record.extend(u16::to_le_bytes(number));
    }
    record.extend(u32::try_from(body.len()).unwrap_or(0).to_le_bytes());
    record.extend(body);
    record
}

fn test(path: &str, more: &[(u8, &str)]) -> Vec<u8> {
    let mut fields = vec![(1, path.to_owned())];
    fields.extend(more.iter().map(|(tag, text)| (*tag, (*text).to_owned())));
    record(1, &fields)
}

/// Records of every kind that belong together.
pub(super) fn small_suite() -> Vec<Vec<u8>> {
    let text = str::to_owned;
    vec![
        record(2, &[(1, text("x::s")), (12, text("split"))]),
        record(4, &[(1, text("x::s::up")), (14, text("setup"))]),
        record(3, &[(1, text("x::value")), (12, text("unit"))]),
        test(
            "x::s::one",
            &[(7, "slow"), (10, "It is one."), (4, "not now")],
        ),
        test("x::two", &[(13, "x::value"), (5, "why")]),
        test("x::three", &[(6, "later")]),
    ]
}

/// A module of the SDK's with these records; each of its tests returns at once.
pub(super) fn sdk(records: &[Vec<u8>]) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], [ValType::I32]);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut exports = ExportSection::new();
    let mut named = std::collections::HashSet::new();
    for record in records.iter().filter(|r| r[10] != SUITE) {
        let length = u32::from_le_bytes([record[17], record[18], record[19], record[20]]);
        let path = String::from_utf8_lossy(&record[21..21 + length as usize]).into_owned();
        if named.insert(path.clone()) {
            exports.export(&format!("wasmtest:{path}"), ExportKind::Func, 0);
        }
    }
    let mut code = CodeSection::new();
    let mut body = Function::new([]);
    body.instruction(&Instruction::I32Const(0))
        .instruction(&Instruction::End);
    code.function(&body);
    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&exports)
        .section(&code);
    module.section(&custom("wasmtest", &records.concat()));
    module.finish()
}

/// What looks like libtest's and answers every question with these lines.
pub(super) fn libtest_list(count: usize, line: impl Fn(usize) -> String) -> Vec<u8> {
    const AT: i32 = 1024;
    let mut text: Vec<u8> = (0..count).flat_map(|n| line(n).into_bytes()).collect();
    let length = i32::try_from(text.len()).unwrap_or(i32::MAX);
    text.extend(b"\0RUST_TEST_THREADS\0RUST_TEST_NOCAPTURE");
    let mut types = TypeSection::new();
    types.ty().function([], []);
    types.ty().function([ValType::I32; 4], [ValType::I32]);
    let mut imports = ImportSection::new();
    imports.import(
        "wasi_snapshot_preview1",
        "fd_write",
        EntityType::Function(1),
    );
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut memories = MemorySection::new();
    memories.memory(memory((text.len() as u64 >> 16) + 2));
    let mut exports = ExportSection::new();
    exports
        .export("_start", ExportKind::Func, 1)
        .export("memory", ExportKind::Memory, 0);
    let mut code = CodeSection::new();
    let mut body = Function::new([]);
    for number in [1, 8, 1, 0] {
        body.instruction(&Instruction::I32Const(number));
    }
    body.instruction(&Instruction::Call(0))
        .instruction(&Instruction::Drop);
    body.instruction(&Instruction::End);
    code.function(&body);
    let mut data = DataSection::new();
    let list = [AT.to_le_bytes(), length.to_le_bytes()].concat();
    data.active(0, &ConstExpr::i32_const(8), list);
    data.active(0, &ConstExpr::i32_const(AT), text);
    let mut module = Module::new();
    module
        .section(&types)
        .section(&imports)
        .section(&functions)
        .section(&memories);
    module.section(&exports).section(&code).section(&data);
    module.finish()
}

/// A component within a component, and so on.
fn nested_components(depth: usize) -> Vec<u8> {
    const HEADER: [u8; 8] = *b"\0asm\x0d\0\x01\0";
    let mut inner = HEADER.to_vec();
    for _ in 0..depth {
        let mut outer = HEADER.to_vec();
        let section = RawSection {
            id: 4,
            data: &inner,
        };
        outer.push(section.id);
        section.data.encode(&mut outer);
        inner = outer;
    }
    inner
}
