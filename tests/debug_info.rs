//! Debug information is a guest's, too: whatever it is, it changes no verdict.

use crate::support::{Events, arg, events, wat};
use std::path::{Path, PathBuf};

/// A module that traps, with these custom sections.
fn traps(folder: &Path, sections: &[(&str, Vec<u8>)]) -> PathBuf {
    let module = wat(
        folder,
        "traps.wasm",
        "(module (func $named (export \"_start\") unreachable))",
    );
    let mut bytes = std::fs::read(&module).expect("it was written");
    for (name, content) in sections {
        let name_length = u8::try_from(name.len()).expect("it is short");
        let section = [&[name_length], name.as_bytes(), content].concat();
        let mut length = section.len();
        bytes.push(0);
        // as many bytes as there may be
        for more in [0x80, 0x80, 0x80, 0x80, 0] {
            bytes.push(more | (length & 0x7f) as u8);
            length >>= 7;
        }
        bytes.extend(section);
    }
    std::fs::write(&module, bytes).expect("it can be written");
    module
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A unit of debug information with this entry, whose abbreviations begin at 0.
fn unit(entry: &[u8]) -> Vec<u8> {
    let rest = [&[4, 0, 0, 0, 0, 0, 4], entry].concat();
    [words(&[rest.len() as u32]), rest].concat()
}

/// How a module's test ends that traps with this debug information, in a run in which it is
/// run and its name asked for once more.
fn ended(sections: &[(&str, Vec<u8>)]) -> Events {
    let dir = tempfile::tempdir().expect("a folder");
    let module = traps(dir.path(), sections);
    let ran = events([arg(&module)]);
    assert_eq!(ran.outcome("main"), "errored", "{ran:#?}");
    assert!(
        ran.message("main").contains("reached an `unreachable`"),
        "{ran:#?}"
    );
    ran
}

fn notes(ran: &Events) -> String {
    ran.end("main")["wasmtest"]["notes"].to_string()
}

#[test]
fn many_units_that_share_many_ranges_change_no_verdict() {
    let entry = [&[1][..], &words(&[0])].concat();
    let ranges = [words(&[1, 1000]).repeat(60_000), words(&[0, 0])].concat();
    let ran = ended(&[
        (".debug_abbrev", vec![1, 0x11, 0, 0x55, 0x17, 0, 0, 0]),
        (".debug_info", unit(&entry).repeat(60_000)),
        (".debug_ranges", ranges),
    ]);
    assert!(notes(&ran).contains("takes too much to read"), "{ran:#?}");
}

#[test]
fn functions_inlined_without_end_change_no_verdict() {
    let range = words(&[0, 1000]);
    let mut entries = [&[1][..], &range, &[2], &range].concat();
    entries.extend(vec![3; 1 << 20]);
    let abbrev = [
        &[1, 0x11, 1, 0x11, 1, 0x12, 6, 0, 0][..],
        &[2, 0x2e, 1, 0x11, 1, 0x12, 6, 0, 0],
        &[3, 0x1d, 1, 0, 0, 0],
    ];
    let ran = ended(&[
        (".debug_abbrev", abbrev.concat()),
        (".debug_info", unit(&entries)),
    ]);
    assert!(notes(&ran).contains("takes too much to read"), "{ran:#?}");
}

#[test]
fn debug_information_that_is_none_is_passed_over() {
    let ran = ended(&[
        (".debug_abbrev", vec![0xff; 1000]),
        (".debug_info", vec![0xff; 100_000]),
        (".debug_line", vec![0xff; 1000]),
    ]);
    assert_eq!(notes(&ran), "null");
}
