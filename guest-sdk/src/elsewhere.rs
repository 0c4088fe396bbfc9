//! What a test asks of its runner, where there is none and it is a plain `#[test]`:
//! a log goes to stderr, an attachment into a file, a skip unwinds to the SDK's attribute.
//!
//! Nothing here makes a test fail that would pass under the runner.

use crate::__private::{Returned, WhenSkipped};
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

thread_local! {
    /// The path of the SDK's test that runs on this thread, without its crate.
    static RUNS: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// What a skipped test is unwound with, and why: no hook prints it.
pub(crate) struct Skip(pub String);

/// Runs the test of this path, crate included, and turns a skip into what passes.
pub fn run<T: Returned>(
    path: &'static str,
    when_skipped: WhenSkipped,
    test: impl FnOnce() -> T,
) -> T {
    let path = path.split_once("::").map_or(path, |(_, path)| path);
    let outer = RUNS.replace(Some(path));
    let ended = catch_unwind(AssertUnwindSafe(test));
    RUNS.set(outer);
    let payload = match ended {
        Ok(value) => return value,
        Err(payload) => payload,
    };
    let Some(Skip(reason)) = payload.downcast_ref() else {
        resume_unwind(payload);
    };
    match when_skipped {
        WhenSkipped::Return => T::skipped(),
        // libtest wants a panic with these words, and nothing else is a pass
        WhenSkipped::Panic(words) => {
            resume_unwind(Box::new(format!("{words} (skipped: {reason})")))
        }
    }
}

pub fn test_id() -> String {
    let thread = std::thread::current();
    let id = RUNS.get().or_else(|| thread.name());
    id.unwrap_or("unnamed thread").to_owned()
}

#[track_caller]
pub fn skip(reason: &str) -> ! {
    // the runner reads this line where it runs the test as libtest's
    eprintln!("wasmtest: skipped: {}", reason.replace('\n', " "));
    if cfg!(panic = "abort") {
        // nothing can be unwound here; the runner does not take this for a pass
        std::process::exit(0);
    }
    if RUNS.get().is_none() {
        panic!(
            "skipped: {reason} (outside of the runner skip! counts as a skip only in a \
             #[wasmtest::test], and on the test's own thread)"
        );
    }
    resume_unwind(Box::new(Skip(reason.to_owned())))
}

pub fn attach(name: &str, media_type: &str, content: &[u8]) {
    let exe = std::env::current_exe().unwrap_or_default();
    let folder = output_folder(&exe).join(plain(&test_id()));
    let file = unused(&folder, &plain(name));
    let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, content));
    match written {
        Ok(()) => eprintln!("attached: {} ({media_type})", file.display()),
        Err(e) => eprintln!("attached: {name} ({media_type}), not written: {e}"),
    }
}

/// A file in the test's folder that this process has not written: `a.txt`,
/// `a-2.txt`. The folder is emptied when it is asked for first.
fn unused(folder: &Path, name: &str) -> PathBuf {
    static USED: Mutex<Option<HashMap<PathBuf, HashSet<String>>>> = Mutex::new(None);
    let mut used = USED.lock().unwrap_or_else(PoisonError::into_inner);
    let folders = used.get_or_insert_default();
    if !folders.contains_key(folder) {
        // there may be none, and if it stays nothing is lost
        let _ = std::fs::remove_dir_all(folder);
    }
    let used = folders.entry(folder.to_owned()).or_default();
    let (stem, extension) = match name.rfind('.') {
        Some(dot) if dot > 0 => name.split_at(dot),
        _ => (name, ""),
    };
    let names = (2u64..).map(|n| format!("{stem}-{n}{extension}"));
    let free = std::iter::once(name.to_owned())
        .chain(names)
        // some file systems do not tell cases apart
        .find(|name| used.insert(name.to_lowercase()));
    folder.join(free.expect("one of all the numbers is free"))
}

/// `target/wasmtest/EXECUTABLE`, whatever the target folder's name and depth.
fn output_folder(exe: &Path) -> PathBuf {
    // cargo marks the target folder that it makes; one that it found has no mark, but tests
    // in `deps` of one profile's folder, or in `build/PACKAGE/HASH/out` from Rust 1.101 on
    let marked = exe
        .ancestors()
        .skip(1)
        .find(|folder| folder.join("CACHEDIR.TAG").is_file());
    let deps = exe.ancestors().find(|folder| folder.ends_with("deps"));
    let out = exe.parent().filter(|folder| folder.ends_with("out"));
    let units = out.and_then(|out| out.ancestors().nth(3));
    let of_profile = deps.or(units.filter(|folder| folder.ends_with("build")));
    let target = marked
        .or_else(|| of_profile?.parent()?.parent())
        .or_else(|| exe.parent())
        .unwrap_or(Path::new("target"));
    let executable = exe.file_stem().unwrap_or_default().to_string_lossy();
    target
        .join("wasmtest")
        .join(plain(without_hash(&executable)))
}

/// A test executable's name without what cargo adds to it: `-` and 16 hex digits.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((crate_name, hash))
            if hash.len() == 16 && hash.chars().all(|c| c.is_ascii_hexdigit()) =>
        {
            crate_name
        }
        _ => name,
    }
}

/// The text as the name of one file, that is neither hidden nor empty nor a path.
fn plain(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let plain: String = text
        .chars()
        .map(|c| if allowed(c) { c } else { '_' })
        .collect();
    match plain.trim_start_matches('.') {
        "" => "unnamed".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executables_hash_is_no_part_of_its_name() {
        assert_eq!(without_hash("native-d140ad8956af0406"), "native");
        assert_eq!(without_hash("my-tests"), "my-tests");
        assert_eq!(without_hash("plain"), "plain");
    }

    #[test]
    fn without_a_mark_of_cargos_the_output_lies_beside_the_profile_or_the_executable() {
        let folder = |exe: &str| output_folder(Path::new(exe));
        assert_eq!(
            folder("/nowhere/built/debug/deps/a-d140ad8956af0406"),
            Path::new("/nowhere/built/wasmtest/a")
        );
        assert_eq!(
            folder("/nowhere/built/debug/build/p/d140ad8956af0406/out/a-d140ad8956af0406"),
            Path::new("/nowhere/built/wasmtest/a")
        );
        assert_eq!(folder("/nowhere/a"), Path::new("/nowhere/wasmtest/a"));
        assert_eq!(folder(""), Path::new("target/wasmtest/unnamed"));
    }

    #[test]
    fn no_name_leaves_its_folder() {
        assert_eq!(plain("../a name.txt"), "_a_name.txt");
        assert_eq!(plain("a::b"), "a__b");
        assert_eq!(plain(".."), "unnamed");
        assert_eq!(plain(""), "unnamed");
    }
}
