//! The targets that guests are built for, and whether a compiler has them.

use anyhow::{Context as _, Result};
use std::path::PathBuf;
use std::process::Command;

/// WASI 0.1: core modules.
pub const WASIP1: &str = "wasm32-wasip1";
/// WASI 0.2: components.
pub const WASIP2: &str = "wasm32-wasip2";

/// Whether a compiler has the standard library for a target.
pub(crate) fn has_std(mut rustc: Command, target: &str) -> Result<bool> {
    let variable = format!(
        "CARGO_TARGET_{}_RUSTFLAGS",
        target.to_uppercase().replace('-', "_")
    );
    let flags = std::env::var(variable).unwrap_or_default();
    let output = rustc
        .args(flags.split_whitespace())
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .with_context(|| format!("{} cannot be started", rustc.get_program().display()))?;
    let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    Ok(entries.into_iter().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    }))
}
