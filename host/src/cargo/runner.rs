//! `wasmtest cargo-runner BIN ARGS...`, as cargo calls it: what BIN is decides what becomes of ARGS.
//!
//! Gives an exit code. Whatever is wrong with the call is said on stderr and
//! ends in 101, as a Rust program ends that cannot go on: cargo knows no
//! code of ours.

use super::libtest;
use crate::cli::CargoRunnerArgs;
use crate::event::{Cause, Harness};
use crate::module::identify;
use crate::report::text::{Escaped, tell};
use std::ffi::OsString;
use std::path::Path;

/// All good.
pub const OK: u8 = 0;
/// Something did not pass, or was wrong with the call.
pub const FAILED: u8 = 101;

/// Does what cargo asked for; gives the exit code.
pub fn run(args: &CargoRunnerArgs) -> u8 {
    let (file, rest) = match args.call.split_first() {
        Some((file, rest)) => (Path::new(file), rest),
        None => return refuse("cargo-runner: no file was given", None),
    };
    match harness(file) {
        Ok(Some(Harness::Libtest)) => libtest::run(file, rest, args),
        Ok(_) => refuse(
            &format!(
                "{} is a program and no Rust test binary: wasmtest cannot run programs for cargo yet",
                file.display()
            ),
            Some("`wasmtest run` runs it as one test"),
        ),
        Err(cause) => {
            let what = format!("{} cannot be run: {}", file.display(), cause.message);
            let hint = match twice(file, rest) {
                true => Some(
                    "the runner seems to be named twice (in .cargo/config.toml and in CARGO_TARGET_WASM32_WASIP1_RUNNER?): `wasmtest cargo-runner` has to stand there once"
                        .to_owned(),
                ),
                false => cause.hint,
            };
            refuse(&what, hint.as_deref())
        }
    }
}

/// How the program in this file is run.
fn harness(file: &Path) -> Result<Option<Harness>, Cause> {
    let bytes =
        std::fs::read(file).map_err(|e| Cause::new(format!("the file cannot be read: {e}")))?;
    Ok(identify::identify(&bytes)?.harness)
}

/// Whether what should be a file is this runner's own command.
fn twice(file: &Path, rest: &[OsString]) -> bool {
    file.file_stem().is_some_and(|name| name == "wasmtest")
        && rest.first().is_some_and(|word| word == "cargo-runner")
}

/// Says what is wrong and what to do.
fn refuse(what: &str, hint: Option<&str>) -> u8 {
    tell(&format!("error: {}", Escaped(what)));
    if let Some(hint) = hint {
        tell(&format!("hint: {}", Escaped(hint)));
    }
    FAILED
}
