//! What a file is: its format and its harness, from its bytes alone.
//!
//! Nothing is run and nothing is believed: names, lengths and sections come
//! from a file that anybody could have written. Neither the name section nor
//! debug information nor `target_features` is looked at, since stripped and
//! post-processed files are common.

use crate::event::{Cause, Format, HarnessName};
use crate::harness::{self, Facts, command, sdk};
use memchr::memmem;
use wasmparser::{ComponentExternalKind, Encoding, ExternalKind, Parser, Payload, TypeRef};

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

/// Tells what a file is; a plain program is a command.
///
/// # Errors
/// As those of [`identify_as`].
pub fn identify(bytes: &[u8]) -> Result<Identity, Cause> {
    identify_as(bytes, command::NAME)
}

/// Tells what a file is, where plain programs are taken for this harness's.
///
/// # Errors
/// A cause for the user if these bytes are no WebAssembly, are cut short, lie
/// about their tests, or need what no wasmtime offers.
pub fn identify_as(bytes: &[u8], taken_for: HarnessName) -> Result<Identity, Cause> {
    if !bytes.starts_with(b"\0asm") {
        return Err(not_wasm(bytes));
    }
    let mut marks: Vec<(&str, bool)> = harness::marks().map(|mark| (mark, false)).collect();
    let mut starts = false;
    let mut format = Format::Core;
    let mut depth = 0usize;
    let mut sdk = sdk::Found::default();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|e| damaged(&e, bytes.len()))?;
        match &payload {
            Payload::Version { encoding, .. } => {
                if depth == 0 && *encoding == Encoding::Component {
                    format = Format::Component;
                }
                depth += 1;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    let import = import.map_err(|e| damaged(&e, bytes.len()))?;
                    refuse_threads(import.module, import.name, &import.ty)?;
                }
            }
            Payload::ExportSection(section) if format == Format::Core => {
                for export in section.clone() {
                    let export = export.map_err(|e| damaged(&e, bytes.len()))?;
                    starts |= export.name == "_start" && export.kind == ExternalKind::Func;
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section.clone() {
                    let export = export.map_err(|e| damaged(&e, bytes.len()))?;
                    starts |= export.name.name.starts_with("wasi:cli/run@")
                        && export.kind == ComponentExternalKind::Instance;
                }
            }
            Payload::DataSection(section) => {
                for data in section.clone() {
                    let data = data.map_err(|e| damaged(&e, bytes.len()))?;
                    for (mark, found) in &mut marks {
                        *found = *found || memmem::find(data.data, mark.as_bytes()).is_some();
                    }
                }
            }
            _ => {}
        }
        match format {
            Format::Core => sdk
                .look_at(&payload)
                .map_err(|e| damaged(&e, bytes.len()))?,
            Format::Component => sdk.look_at_component(&payload),
        }
    }
    let sdk = match format {
        Format::Core => sdk.contents()?,
        Format::Component => sdk.contents_of_component()?,
    };
    Ok(Identity {
        format,
        harness: harness::recognise(&Facts {
            format,
            starts,
            has_sdk_tests: !sdk.tests.is_empty(),
            marks: marks.iter().filter(|m| m.1).map(|m| m.0).collect(),
            taken_for,
        }),
        sdk,
    })
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

fn damaged(error: &wasmparser::BinaryReaderError, length: usize) -> Cause {
    if error.offset() < 8 && length >= 8 {
        return Cause::new("it is WebAssembly of a version that is not known here")
            .hint("a newer wasmtest may know it");
    }
    Cause::new(format!(
        "the file is damaged or cut short: {} at byte {} of {length}",
        error.message(),
        error.offset()
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
