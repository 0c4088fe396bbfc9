//! The `wasmtest` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    wasmtest_host::entry::wasmtest()
}
