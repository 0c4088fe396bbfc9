//! Reads files that anybody could have written: never more of them than they may hold.

use crate::event::Cause;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// No module is larger, in bytes: ten times what a large debug binary is.
pub const LARGEST_FILE: u64 = 1 << 30;

/// All of a file.
///
/// # Errors
/// If it cannot be read or is larger than [`LARGEST_FILE`].
pub fn whole(path: &Path) -> Result<Vec<u8>, Cause> {
    let read = regular(path).and_then(|file| all_of(&file));
    read.map_err(|e| unreadable(&e))
}

/// Opens what has to be a regular file.
///
/// # Errors
/// If it is none or cannot be opened.
pub fn regular(path: &Path) -> io::Result<File> {
    // a pipe would be waited for
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no regular file")),
    }
}

/// How long an open file is.
///
/// # Errors
/// That it is longer than [`LARGEST_FILE`]; those of the file system.
pub fn length(file: &File) -> io::Result<u64> {
    match file.metadata()?.len() {
        length if length > LARGEST_FILE => Err(too_large()),
        length => Ok(length),
    }
}

/// All that there is in an open file, which may be a pipe.
///
/// # Errors
/// Those of the file system; that it is larger than [`LARGEST_FILE`].
pub fn all_of(file: &File) -> io::Result<Vec<u8>> {
    let length = length(file)?;
    let mut bytes = Vec::new();
    // one that is cut short meanwhile costs nothing, and one that grows no more than this
    bytes.try_reserve_exact(length as usize)?;
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > LARGEST_FILE {
        true => Err(too_large()),
        false => Ok(bytes),
    }
}

/// In words for the user.
pub fn unreadable(error: &io::Error) -> Cause {
    let cause = Cause::new(format!("it cannot be read: {error}"));
    match error.kind() {
        io::ErrorKind::FileTooLarge => {
            cause.hint("if it is one, leave its debug information out; if not, name the modules")
        }
        _ => cause,
    }
}

/// What is said of a file that is not read.
fn too_large() -> io::Error {
    let most = LARGEST_FILE >> 20;
    let why = format!("it is larger than {most} MiB, and no module is");
    io::Error::new(io::ErrorKind::FileTooLarge, why)
}
