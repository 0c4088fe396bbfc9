//! Whether the compiler has a standard library for a target, asked before cargo meets it without.

use super::configuration::Configuration;
use super::target;
use crate::settings::ProcessEnv;
use std::path::Path;
use std::process::{Command, Stdio};

/// What to say where it lacks the standard library for a target.
pub fn how_to_install(target: &str, process: &ProcessEnv) -> String {
    let toolchain = process.var("RUSTUP_TOOLCHAIN");
    let toolchain = toolchain.map_or(String::new(), |t| format!(" --toolchain {t}"));
    format!(
        "error: Rust's standard library for {target} is not installed; install it with: rustup target add {target}{toolchain}"
    )
}

/// Whether the standard library for this target is missing, as far as can be told.
pub fn lacks_std(
    target: &str,
    unstable: &[String],
    configuration: &Configuration,
    process: &ProcessEnv,
) -> bool {
    let builds_std = |text: &str| text.contains("build-std");
    if unstable.iter().any(|f| builds_std(f))
        || process.var_os("CARGO_UNSTABLE_BUILD_STD").is_some()
    {
        return false;
    }
    let mut rustc = Command::new(process.var_os("RUSTC").unwrap_or("rustc".as_ref()));
    rustc.args(["--print", "target-libdir", "--target", target]);
    // a sysroot of its own may be in them
    for name in [
        target::variable(target, "RUSTFLAGS"),
        "RUSTFLAGS".to_owned(),
    ] {
        if let Some(flags) = process.var(&name) {
            rustc.args(flags.split_whitespace());
        }
    }
    let output = rustc.stdin(Stdio::null()).stderr(Stdio::null()).output();
    // where nothing can be told, cargo will tell
    let Ok(output) = output else { return false };
    if !output.status.success() {
        return false;
    }
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let has_std = std::fs::read_dir(Path::new(&folder)).is_ok_and(|entries| {
        let mut names = entries.flatten().map(|e| e.file_name());
        names.any(|n| n.to_string_lossy().starts_with("libstd-"))
    });
    !has_std && !configuration.builds_std()
}
