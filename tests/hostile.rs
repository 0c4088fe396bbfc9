//! The quick part of the corpus of attacks (`tests/hostile`), and of modules that were cut and
//! changed; `cargo xtask hostile` runs all of it.

use crate::support::{Target, guest, workspace};
use std::path::{Path, PathBuf};
use xtask::hostile::mutations::Campaign;
use xtask::hostile::{Entry, Field, entries};

/// A folder of these tests' own.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("hostile")
        .join(name)
}

/// Runs a share of the quick entries, one after the other: shares run side by side.
fn share(number: usize) {
    let all = entries(&workspace()).expect("each says what it is");
    let quick: Vec<Entry> = all.into_iter().filter(Entry::is_quick).collect();
    let field = Field {
        wasmtest: env!("CARGO_BIN_EXE_wasmtest").into(),
        crate_module: guest("hostile", Target::P1, "dev"),
        folder: folder(&number.to_string()),
    };
    let mut wrong = Vec::new();
    for entry in quick.iter().skip(number).step_by(SHARES) {
        let came = field.run(entry).expect("it can be made and started");
        if !came.complaints.is_empty() {
            wrong.push(format!(
                "{}: {}",
                entry.name,
                came.complaints.join("\n    ")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const SHARES: usize = 2;

#[test]
fn attacks_end_as_they_must_and_harm_nobody() {
    share(0);
}

#[test]
fn more_attacks_end_as_they_must_and_harm_nobody() {
    share(1);
}

#[test]
fn the_corpus_has_what_it_is_said_to_have() {
    let all = entries(&workspace()).expect("each says what it is");
    let quick = all.iter().filter(|e| e.is_quick()).count();
    assert!(quick >= 60, "{quick} of {}", all.len());
    // one that no crate names would not be built, and not be missed
    let lib = std::fs::read_to_string(workspace().join("tests/hostile/lib.rs")).expect("there");
    for entry in all.iter().filter(|e| !e.is_module()) {
        assert!(
            lib.contains(&format!("mod {};", entry.name)),
            "{}",
            entry.name
        );
    }
}

#[test]
fn modules_that_were_cut_and_changed_are_refused_or_read_and_nothing_worse() {
    let campaign = Campaign {
        wasmtest: env!("CARGO_BIN_EXE_wasmtest").into(),
        folder: folder("mutations"),
        seed: 1,
    };
    let tally = campaign.run(0..300, |_| ()).expect("they can be made");
    assert!(tally.complaints.is_empty(), "{tally}");
}
