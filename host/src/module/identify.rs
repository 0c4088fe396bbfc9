//! What a file is: its format and its harness, from its bytes alone.
//!
//! Nothing is run and nothing is believed: names, lengths and sections come
//! from a file that anybody could have written. Neither the name section nor
//! debug information nor `target_features` is looked at, since stripped and
//! post-processed files are common.

use super::read;
use super::sections::{self, Kind, Sections, SectionsError};
use crate::event::{Cause, Format, HarnessName};
use crate::harness::{self, Facts, command, sdk};
use crate::protocol::ContentHash;
use memchr::memmem;
use std::io::Read;
use std::path::Path;
use wasmparser::{
    BinaryReader, BinaryReaderError, ComponentExportSectionReader, ComponentExternalKind,
    ExportSectionReader, ExternalKind, FunctionSectionReader, ImportSectionReader, Payload,
    TypeRef, TypeSectionReader,
};
use wasmtest_section::NAME;

/// The numbers of a module's sections, and of a component's that is looked at.
const CUSTOM: u8 = 0;
const TYPES: u8 = 1;
const IMPORTS: u8 = 2;
const FUNCTIONS: u8 = 3;
const EXPORTS: u8 = 7;
const DATA: u8 = 11;
const COMPONENT_EXPORTS: u8 = 11;

/// No mark of a harness's is longer, in bytes.
const LONGEST_MARK: usize = 64;

/// What a file turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What the file is.
    pub format: Format,
    /// How it runs when it is started; `None` if there is nothing to start.
    pub harness: Option<HarnessName>,
    /// The tests, suites and fixtures of the SDK's in it.
    pub sdk: sdk::Contents,
}

impl Identity {
    /// Whether there is anything in it to start.
    pub fn holds_tests(&self) -> bool {
        self.harness.is_some() || !self.sdk.tests.is_empty()
    }
}

/// A file that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// What it holds.
    pub content: ContentHash,
    /// How long it is, in bytes.
    pub size: u64,
    pub identity: Identity,
}

/// Reads a file once, and tells what it holds and what it is, where plain programs are taken for
/// this harness's. Little of it is ever in memory.
///
/// # Errors
/// A cause for the user if it cannot be read or is larger than any module may be; if it is no
/// WebAssembly, cut short, lies about its tests, or needs what no wasmtime offers.
pub fn look(path: &Path, taken_for: HarnessName) -> Result<Looked, Cause> {
    let file = read::regular(path).map_err(|e| read::unreadable(&e))?;
    let size = read::length(&file).map_err(|e| read::unreadable(&e))?;
    let (content, identity) = identify_as(&file, size, taken_for)?;
    Ok(Looked {
        content,
        size,
        identity,
    })
}

/// Tells what these bytes of a file's are; a plain program is a command.
///
/// # Errors
/// A cause for the user, as where a file is looked at in pieces.
pub fn identify(bytes: &[u8]) -> Result<Identity, Cause> {
    let (_, identity) = identify_as(bytes, bytes.len() as u64, command::NAME)?;
    Ok(identity)
}

/// What an engine takes of functions and of types, as all of them do.
const MOST: u32 = 1_000_000;

fn identify_as(
    from: impl Read,
    length: u64,
    taken_for: HarnessName,
) -> Result<(ContentHash, Identity), Cause> {
    let wrong = |e| cause_of(e, length);
    let damaged = |e: BinaryReaderError| damaged(e.message(), e.offset() as u64, length);
    let mut sections = Sections::new(from, length).map_err(wrong)?;
    let format = match sections.kind() {
        Kind::Module => Format::Core,
        Kind::Component => Format::Component,
    };
    let mut marks: Vec<(&str, bool)> = harness::marks().map(|mark| (mark, false)).collect();
    let mut starts = false;
    let mut sdk = sdk::Found::default();
    while let Some(head) = sections.next().map_err(wrong)? {
        let is_wanted = match (head.of, head.id) {
            (Kind::Module, IMPORTS) => true,
            (Kind::Module, TYPES | FUNCTIONS | EXPORTS) => format == Format::Core,
            (Kind::Component, COMPONENT_EXPORTS) => head.depth == 1,
            _ => false,
        };
        if (head.of, head.id) == (Kind::Module, DATA) {
            let all = |piece: &[u8]| find(&mut marks, piece);
            sections
                .overlapping(head, LONGEST_MARK, all)
                .map_err(wrong)?;
            continue;
        }
        if head.id == CUSTOM {
            let name = sections.name(head, NAME.len()).map_err(wrong)?;
            if name.is_some_and(|name| name == NAME.as_bytes()) {
                let records = sections.whole(head).map_err(wrong)?;
                if sdk.add(&records) > sections::LARGEST_SECTION as usize {
                    return Err(wrong(SectionsError::TooLarge(format!(
                        "its sections `{NAME}` have more than {} MiB together",
                        sections::LARGEST_SECTION >> 20
                    ))));
                }
            }
        }
        if !is_wanted {
            sections.skip(head).map_err(wrong)?;
            continue;
        }
        let bytes = sections.whole(head).map_err(wrong)?;
        let reader = BinaryReader::new(&bytes, head.start());
        let too_many = |count: u32| match count > MOST {
            true => Err(wrong(SectionsError::TooLarge(format!(
                "its section {} lists {count} things, and no engine takes more than {MOST}",
                head.id
            )))),
            false => Ok(()),
        };
        let payload = match (head.of, head.id) {
            (Kind::Module, TYPES) => {
                let section = TypeSectionReader::new(reader).map_err(damaged)?;
                too_many(section.count())?;
                Payload::TypeSection(section)
            }
            (Kind::Module, IMPORTS) => {
                let section = ImportSectionReader::new(reader).map_err(damaged)?;
                for import in section.clone().into_imports() {
                    let import = import.map_err(damaged)?;
                    refuse_threads(import.module, import.name, &import.ty)?;
                }
                Payload::ImportSection(section)
            }
            (Kind::Module, FUNCTIONS) => {
                let section = FunctionSectionReader::new(reader).map_err(damaged)?;
                too_many(section.count())?;
                Payload::FunctionSection(section)
            }
            (Kind::Module, _) => {
                let section = ExportSectionReader::new(reader).map_err(damaged)?;
                for export in section.clone() {
                    let export = export.map_err(damaged)?;
                    starts |= export.name == "_start" && export.kind == ExternalKind::Func;
                }
                Payload::ExportSection(section)
            }
            (Kind::Component, _) => {
                let section = ComponentExportSectionReader::new(reader).map_err(damaged)?;
                for export in section {
                    let export = export.map_err(damaged)?;
                    starts |= export.name.name.starts_with("wasi:cli/run@")
                        && export.kind == ComponentExternalKind::Instance;
                }
                continue;
            }
        };
        if format == Format::Core {
            sdk.look_at(&payload).map_err(damaged)?;
        }
    }
    let content = sections.content().map_err(wrong)?;
    let sdk = match format {
        Format::Core => sdk.contents()?,
        Format::Component => sdk.contents_of_component()?,
    };
    let identity = Identity {
        format,
        harness: harness::recognise(&Facts {
            format,
            starts,
            has_sdk_tests: !sdk.tests.is_empty(),
            marks: marks.iter().filter(|m| m.1).map(|m| m.0).collect(),
            taken_for,
        }),
        sdk,
    };
    Ok((content, identity))
}

fn find(marks: &mut [(&str, bool)], data: &[u8]) {
    for (mark, found) in marks {
        *found = *found || memmem::find(data, mark.as_bytes()).is_some();
    }
}

fn cause_of(error: SectionsError, length: u64) -> Cause {
    match error {
        SectionsError::Io(e) => read::unreadable(&e),
        SectionsError::NotWasm(first) => not_wasm(&first),
        SectionsError::Version => {
            Cause::new("it is WebAssembly of a version that is not known here")
                .hint("a newer wasmtest may know it")
        }
        SectionsError::Damaged { what, at } => damaged(what, at, length),
        SectionsError::TooLarge(what) => Cause::new(what),
    }
}

fn refuse_threads(module: &str, name: &str, ty: &TypeRef) -> Result<(), Cause> {
    let shared = matches!(ty, TypeRef::Memory(m) if m.shared);
    if shared || (module == "wasi" && name == "thread-spawn") {
        let what = if shared {
            format!("it imports the shared memory `{module}::{name}`")
        } else {
            "it imports `wasi::thread-spawn`".into()
        };
        return Err(Cause::new(format!(
            "{what}: built for wasm32-wasip1-threads, which wasmtime no longer runs since version 47"
        ))
        .hint("build it for wasm32-wasip1"));
    }
    Ok(())
}

fn not_wasm(bytes: &[u8]) -> Cause {
    let what = match bytes {
        [] => "the file is empty".to_owned(),
        b if b"\0asm".starts_with(b) => format!("the file is cut short: {} bytes", b.len()),
        [0x7f, b'E', b'L', b'F', ..] => "it is a native program (ELF), not WebAssembly".to_owned(),
        b"MZ" | [b'M', b'Z', ..] => "it is a native program (PE), not WebAssembly".to_owned(),
        b if b.trim_ascii_start().starts_with(b"(module")
            || b.trim_ascii_start().starts_with(b"(component") =>
        {
            return Cause::new("it is WebAssembly text, not the binary format")
                .hint("assemble it first: wasm-tools parse FILE.wat -o FILE.wasm");
        }
        _ => "it is not WebAssembly: it does not begin with \\0asm".to_owned(),
    };
    Cause::new(what)
        .hint("a test module is what `cargo test --no-run --target wasm32-wasip1` makes")
}

fn damaged(what: &str, at: u64, length: u64) -> Cause {
    Cause::new(format!(
        "the file is damaged or cut short: {what} at byte {at} of {length}"
    ))
    .hint("build it again")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &[u8] = b"\0asm\x01\0\0\0";

    #[test]
    fn an_empty_module_is_a_library() {
        let library = Identity {
            format: Format::Core,
            harness: None,
            sdk: sdk::Contents::default(),
        };
        assert_eq!(identify(EMPTY), Ok(library));
    }

    #[test]
    fn garbage_text_and_truncation_are_told_apart() {
        let why = |b: &[u8]| identify(b).expect_err("not wasm").message;
        assert!(why(b"").contains("empty"));
        assert!(why(b"\0as").contains("cut short"));
        assert!(why(b"\x7fELF\x02").contains("ELF"));
        assert!(why(b"  (module)").contains("text"));
        assert!(why(b"hello").contains("not WebAssembly"));
        assert!(why(b"\0asm\x01\0\0\0\x01\xff").contains("damaged or cut short"));
    }
}
