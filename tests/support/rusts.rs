//! Guests of one file, built by rustc itself: on each Rust that is there, in many ways.

use super::{Target, workspace};
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::toolchains::{Toolchain, newer};

/// What a way to build is called, and how rustc is called for it.
pub type How = (&'static str, &'static [&'static str]);

pub const DEBUG: How = ("debug", &["-g"]);
pub const RELEASE: How = ("release", &["-O", "-g"]);
pub const SMALL: How = ("small", &["-C", "opt-level=s"]);
pub const STRIPPED: How = ("stripped", &["-O", "-C", "strip=symbols"]);
pub const THIN: How = ("thin", &["-O", "-C", "lto=thin"]);
pub const FAT: How = ("fat", &["-O", "-C", "lto=fat", "-C", "codegen-units=1"]);

/// The usual toolchain, and what else is there of those that are meant; what is not there is said.
pub fn toolchains() -> Vec<Option<&'static Toolchain>> {
    std::iter::once(None)
        .chain(newer().into_iter().map(Some))
        .collect()
}

fn rustc(toolchain: Option<&Toolchain>) -> Command {
    let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    if let Some(toolchain) = toolchain {
        command = Command::new("rustc");
        toolchain.choose(&mut command);
    }
    command
}

/// The test binary of this text, a debug build.
pub fn build_text(folder: &Path, name: &str, text: &str) -> PathBuf {
    let source = folder.join(name).with_extension("rs");
    std::fs::write(&source, text).expect("it can be written");
    let file = source.with_extension("wasm");
    let built = rustc(None)
        .current_dir(folder)
        .args(["--edition", "2024", "--test", "--target", "wasm32-wasip1"])
        .arg(&source)
        .arg("-o")
        .arg(&file)
        .output()
        .expect("rustc starts");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{name}: {said}");
    file
}

/// The test binary of a file among the guests.
pub fn build(guest: &str, toolchain: Option<&Toolchain>, target: Target, how: How) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(guest);
    std::fs::create_dir_all(&folder).expect("it can be made");
    let (name, flags) = how;
    let rust = toolchain.map_or("usual", |toolchain| toolchain.meant.role);
    let file = format!("{rust}-{name}-{}.wasm", target.triple()).replace(' ', "-");
    let file = folder.join(file);
    let built = rustc(toolchain)
        .current_dir(workspace())
        .args(["--edition", "2024", "--test", "--crate-name", guest])
        .args(["--target", target.triple()])
        .args(flags)
        .arg(format!("tests/guests/{guest}.rs"))
        .arg("-o")
        .arg(&file)
        .output()
        .expect("rustc starts");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{rust} {name}: {said}");
    file
}
