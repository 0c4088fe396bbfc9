//! The fuzz targets' corpora (`tests/fuzz`) as plain tests, and changes of each that follow from
//! its bytes: what was found once is not found again.

#[path = "fuzz/readers.rs"]
mod readers;

use crate::support::workspace;
use std::path::PathBuf;
use xtask::hostile::mutations::{self, Random};

/// The files of a target's corpus: names and bytes.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = workspace().join("tests/fuzz/corpus").join(target);
    let files = std::fs::read_dir(folder).expect("it is there");
    let mut corpus: Vec<_> = files
        .map(|file| {
            let path = file.expect("readable").path();
            let bytes = std::fs::read(&path).expect("readable");
            (path, bytes)
        })
        .collect();
    corpus.sort();
    assert!(!corpus.is_empty());
    corpus
}

/// Puts a corpus to its reader, and so many changes of it.
fn read(target: &str, reader: fn(&[u8]), changes: u64) {
    let corpus = corpus(target);
    let put = |bytes: &[u8], what: &str| {
        let read = std::panic::catch_unwind(|| reader(bytes));
        if read.is_err() {
            let kept = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{target}-crash"));
            std::fs::write(&kept, bytes).expect("it can be kept");
            panic!("{what}: the bytes are in {}", kept.display());
        }
    };
    for (path, bytes) in &corpus {
        put(bytes, &path.display().to_string());
    }
    let from: Vec<&[u8]> = corpus.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    for number in 0..changes {
        let (at, how, bytes) = mutations::change(&mut Random::of(1, number), &from);
        put(
            &bytes,
            &format!("{}, {how}, change {number}", corpus[at].0.display()),
        );
    }
}

#[test]
fn the_protocol_decoder_takes_whatever_comes() {
    read("protocol", readers::protocol, 20_000);
}

#[test]
fn the_module_reader_takes_whatever_comes() {
    read("module", readers::module, 20_000);
}
