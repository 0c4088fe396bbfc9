//! A short version of `cargo xtask faults`.

use crate::support::{Target, guest};
use std::path::Path;
use xtask::faults::{Asked, campaign};

#[test]
fn whatever_is_killed_or_stopped_every_test_has_one_verdict_and_nothing_is_left() {
    let modules = ["trivial", "many"].map(|name| guest(name, Target::P1, "dev"));
    let asked = Asked {
        seeds: 3,
        kills: 15,
        first: 1,
    };
    let wasmtest = Path::new(env!("CARGO_BIN_EXE_wasmtest"));
    let figures = campaign(wasmtest, &modules, asked, &mut |_| ()).expect("nothing is lost");
    assert!(figures.runs >= 3 && figures.kills() >= 15, "{figures:?}");
    assert!(figures.outcomes["passed"] > 0, "{figures:?}");
}
