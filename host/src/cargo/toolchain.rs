//! Whether the compiler has a standard library for a target, asked before cargo meets it without.

use crate::settings::UsageError;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

/// The target that cargo itself would build for, as its own flags, variable and
/// configuration files ask for it, if it is one that can be run.
pub fn of_cargo(flags: &[String]) -> Option<String> {
    let of_flag = |flag: &String| of_config(flag).or_else(|| of_file(Path::new(flag)));
    let of_flags = flags.iter().rev().find_map(of_flag);
    let files = || {
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
        let mut all = configurations().chain(home.into_iter().flat_map(in_folder));
        all.find_map(|file| of_file(&file))
    };
    of_flags
        .or_else(|| std::env::var("CARGO_BUILD_TARGET").ok())
        .or_else(files)
        .filter(|target| [WASIP1, WASIP2].contains(&target.as_str()))
}

/// Configuration files of cargo's, from here upwards.
fn configurations() -> impl Iterator<Item = PathBuf> {
    let here = std::env::current_dir().unwrap_or_default();
    let folders: Vec<PathBuf> = here.ancestors().map(|f| f.join(".cargo")).collect();
    folders.into_iter().flat_map(in_folder)
}

/// Without an ending is the older name, which counts first.
fn in_folder(folder: PathBuf) -> [PathBuf; 2] {
    [folder.join("config"), folder.join("config.toml")]
}

fn of_file(file: &Path) -> Option<String> {
    of_config(&std::fs::read_to_string(file).ok()?)
}

/// `build.target` of a configuration, the first of several.
fn of_config(text: &str) -> Option<String> {
    let table: toml::Table = text.parse().ok()?;
    let target = table.get("build")?.get("target")?;
    let target = target.as_array().map_or(Some(target), |all| all.first())?;
    target.as_str().map(str::to_owned)
}

/// What to say where it lacks the standard library for a target.
pub fn how_to_install(target: &str) -> String {
    let toolchain = std::env::var("RUSTUP_TOOLCHAIN");
    let toolchain = toolchain.map_or(String::new(), |t| format!(" --toolchain {t}"));
    format!(
        "error: Rust's standard library for {target} is not installed; install it with: rustup target add {target}{toolchain}"
    )
}

/// Whether the standard library for this target is missing, as far as can be told.
pub fn lacks_std(target: &str, unstable: &[String]) -> bool {
    let builds_std = |text: &str| text.contains("build-std");
    if unstable.iter().any(|f| builds_std(f))
        || std::env::var_os("CARGO_UNSTABLE_BUILD_STD").is_some()
    {
        return false;
    }
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--print", "target-libdir", "--target", target]);
    // a sysroot of its own may be in them
    let variable = target.replace('-', "_").to_uppercase();
    for name in [
        format!("CARGO_TARGET_{variable}_RUSTFLAGS"),
        "RUSTFLAGS".to_owned(),
    ] {
        if let Ok(flags) = std::env::var(name) {
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
    !has_std && !configured()
}

/// Whether a configuration file of cargo's has the standard library built.
fn configured() -> bool {
    configurations()
        .any(|file| std::fs::read_to_string(file).is_ok_and(|text| text.contains("build-std")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_names_one_target_or_several() {
        let target = |text| of_config(text);
        assert_eq!(target("build.target = \"a\"").as_deref(), Some("a"));
        let several = "[build]\ntarget = [\"b\", \"c\"]\njobs = 1\n";
        assert_eq!(target(several).as_deref(), Some("b"));
        for none in [
            "",
            "[build]\njobs = 1",
            "path/to/file.toml",
            "target = \"a\"",
        ] {
            assert_eq!(target(none), None, "{none}");
        }
        assert_eq!(
            of_cargo(&["build.target='wasm32-wasip2'".into()]).as_deref(),
            Some(WASIP2)
        );
    }
}
