//! The `cargo wasmtest` command: cargo starts it by its name, with that as first argument.

use std::process::ExitCode;

fn main() -> ExitCode {
    wasmtest_host::entry::cargo_wasmtest()
}
