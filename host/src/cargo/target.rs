//! The targets that can be run: their names, and what cargo calls their variables.

use crate::cli::UsageError;

/// Built where nothing else is asked for.
pub const WASIP1: &str = "wasm32-wasip1";
/// The other target whose binaries can be run.
pub const WASIP2: &str = "wasm32-wasip2";

/// A target that can be run.
///
/// # Errors
/// If it is another.
pub fn known(target: String) -> Result<String, UsageError> {
    match target.as_str() {
        WASIP1 | WASIP2 => Ok(target),
        "wasm32-wasi" => wrong(format!("`{target}` is called {WASIP1} by now")),
        t if t.starts_with("wasm32-wasip1-threads") => wrong(format!(
            "`{target}` needs threads in the host, which wasmtime no longer has since version 47; build for {WASIP1}"
        )),
        _ => wrong(format!(
            "`{target}` cannot be run here; {WASIP1} and {WASIP2} can"
        )),
    }
}

fn wrong(why: String) -> Result<String, UsageError> {
    Err(UsageError {
        flag: "--target",
        why,
    })
}

/// The variable by which a target's key in cargo's configuration is set.
pub fn variable(target: &str, key: &str) -> String {
    let target = target.replace('-', "_").to_uppercase();
    format!("CARGO_TARGET_{target}_{key}")
}
