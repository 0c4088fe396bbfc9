//! The house is in order: what each room may know is what it knows, and nothing runs back up.
//!
//! The table "Who may know whom" in ARCHITECTURE.md says which folder of `host/src` may name
//! which; what the code names is read from it (`source.rs`). An import that the table does not
//! allow fails, and so does what the table allows and nobody needs, a room that has no row, a
//! row that has no room, and a circle. Within a room, files that name each other are counted.

mod rooms;
mod source;

use rooms::{House, Table};
use std::fs;
use std::path::Path;

/// What the library is called by the programs.
const LIBRARY: &str = "wasmtest_host";

fn host() -> House {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, "", &mut files);
    House::new(&files, LIBRARY)
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("it can be read") {
        let path = entry.expect("it can be read").path();
        let name = path.file_name().expect("it has one").to_string_lossy();
        let place = format!("{prefix}{name}");
        if path.is_dir() {
            collect(&path, &format!("{place}/"), files);
        } else if name.ends_with(".rs") {
            files.push((place, fs::read_to_string(&path).expect("it can be read")));
        }
    }
    files.sort();
}

#[test]
fn each_room_knows_those_that_it_may_and_no_others() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ARCHITECTURE.md");
    let page = fs::read_to_string(page).expect("it can be read");
    let house = host();
    let problems = match Table::of(&page) {
        Ok(table) => house.problems(&table),
        Err(why) => vec![why],
    };
    assert!(
        problems.is_empty(),
        "{}\n\nThe table in ARCHITECTURE.md and host/src differ. An import that should not be is a type in the wrong room: it belongs below both. As the code is, the table is\n\n{}",
        problems.join("\n"),
        house.table()
    );
}

#[test]
fn the_root_has_no_other_name_by_which_a_room_could_be_named_unseen() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, "", &mut files);
    for (file, text) in files {
        for other in ["use crate as", "crate::{self as", "extern crate", "#[path"] {
            assert!(
                !text.contains(other),
                "{file} has `{other}`: this test cannot follow that"
            );
        }
    }
}

#[test]
fn files_of_a_room_know_each_other_in_one_direction() {
    let circles = host().circles();
    let groups: Vec<String> = circles.iter().map(|group| group.join(", ")).collect();
    assert!(
        circles.is_empty(),
        "These files name each other; what both need belongs in a file below them.
{}",
        groups.join("\n")
    );
}
