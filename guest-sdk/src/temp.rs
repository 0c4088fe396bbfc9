//! A folder for one test, as a fixture.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// An empty folder of one test's own: see [`temp_dir`](fn@temp_dir).
#[derive(Debug)]
pub struct TempDir {
    path: PathBuf,
}

impl TempDir {
    /// Where the folder is: an absolute path, as the test sees files.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl AsRef<Path> for TempDir {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

/// A fixture: an empty folder, made for each test that asks for it and removed after it
/// with all that is in it.
///
/// ```
/// use wasmtest::{TempDir, temp_dir};
///
/// #[wasmtest::test]
/// fn writes_a_file(temp_dir: &TempDir) {
///     let file = temp_dir.path().join("a.txt");
///     std::fs::write(&file, "a").unwrap();
/// }
/// # fn main() {}
/// ```
///
/// Tests of one unit share `/tmp`, and natively all tests do: this folder is nobody
/// else's. It lies in what `TMPDIR` names, or else in `/tmp`, which the runner grants
/// (`--keep-scratch` does not keep it, since it is gone by then). Natively it lies in
/// [`std::env::temp_dir`]. After a test that trapped, or where a panic aborts the process, it
/// goes when the runner removes that test's `/tmp`; natively it then stays.
///
/// # Errors
/// If no folder can be made there.
#[wasmtest_sdk_macros::fixture(crate = crate, teardown = remove)]
pub fn temp_dir() -> Result<TempDir, String> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let place = place();
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = place.join(format!("wasmtest-{}{number}", process()));
        match make(&path) {
            Ok(()) => return Ok(TempDir { path }),
            // of another instance in the same /tmp, or of a process that had this one's id
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => {
                return Err(format!(
                    "no folder can be made in {}: {e}; TMPDIR names another place",
                    place.display()
                ));
            }
        }
    }
}

fn remove(folder: &TempDir) -> Result<(), String> {
    match fs::remove_dir_all(&folder.path) {
        // the test may have removed or renamed it
        Err(e) if e.kind() != ErrorKind::NotFound => Err(format!(
            "the temporary folder {} cannot be removed: {e}",
            folder.path.display()
        )),
        _ => Ok(()),
    }
}

#[cfg(target_os = "wasi")]
fn place() -> PathBuf {
    // std's own panics there
    std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from)
}

#[cfg(not(target_os = "wasi"))]
fn place() -> PathBuf {
    std::env::temp_dir()
}

/// What tells the folders of processes apart that share a place; std has no such number
/// on WASI, and there each test or unit has a place of its own.
fn process() -> String {
    #[cfg(target_os = "wasi")]
    return String::new();
    #[cfg(not(target_os = "wasi"))]
    format!("{}-", std::process::id())
}

fn make(path: &Path) -> std::io::Result<()> {
    #[allow(unused_mut)]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
