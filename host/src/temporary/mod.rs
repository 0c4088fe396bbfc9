//! Folders that are this program's own for a while, and what becomes of them.
//!
//! A [`TempFolder`] is one run's or one program's. A file in it is locked for as long as its
//! process lives, however that ends: a folder whose lock nobody holds was left behind, and the
//! next run removes it ([`sweep`]). What guests and host fixtures left in one is removed without
//! a call or a descriptor for each level of it, and no link is followed ([`remove`]); what they
//! hold can be counted in the same way ([`usage`]).

pub mod remove;
pub mod sweep;
pub mod usage;

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, flock, openat, renameat, statat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// What the names of all such folders begin with.
const PREFIX: &str = "wasmtest-";
/// The file in each of them that its owner has locked.
const LOCK: &str = ".wasmtest-owner";
/// The same before it is locked.
const NEW_LOCK: &str = ".wasmtest-owner-new";

/// What a folder is for, which its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// What tests of one run find at `/tmp`, and what its host fixtures write.
    Run,
    /// A cache for one run.
    Cache,
    /// What one program finds at `/tmp`.
    Exec,
    /// What the runners of doctests tell.
    Doctests,
}

impl Purpose {
    fn prefix(self) -> String {
        let rest = match self {
            Purpose::Run => "",
            Purpose::Cache => "cache-",
            Purpose::Exec => "exec-",
            Purpose::Doctests => "doctests-",
        };
        format!("{PREFIX}{rest}")
    }
}

/// A folder that is removed with all that it holds when this is dropped, or by a later run.
#[derive(Debug)]
pub struct TempFolder {
    /// Empty once it is somebody else's to remove.
    path: PathBuf,
    lock: Option<OwnedFd>,
}

impl TempFolder {
    /// A new one in `place`, closed to all other users.
    ///
    /// # Errors
    /// Those of the file system, with what could not be made.
    pub fn new(purpose: Purpose, place: &Path) -> io::Result<TempFolder> {
        let made = tempfile::Builder::new()
            .prefix(&purpose.prefix())
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(place)?;
        let lock = lock(made.path()).map_err(|e| {
            let e = io::Error::from(e);
            io::Error::new(e.kind(), format!("a file in it cannot be locked: {e}"))
        })?;
        Ok(TempFolder {
            path: made.keep(),
            lock: Some(lock),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A folder in it that holds nothing, not even its lock.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn empty(&self) -> io::Result<PathBuf> {
        let path = self.path.join("empty");
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(path)
    }

    /// Leaves it where it is, for its user to look at.
    pub fn keep(mut self) -> PathBuf {
        let path = std::mem::take(&mut self.path);
        let _ = std::fs::remove_file(path.join(LOCK));
        path
    }

    /// Removes it with all that it holds.
    ///
    /// # Errors
    /// For the first thing in it that cannot be removed; the rest is.
    pub fn remove(mut self) -> io::Result<()> {
        remove::folder(&std::mem::take(&mut self.path))
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // what cannot be removed now may be by the next run, which finds it without an owner
            let _ = remove::folder(&self.path);
        }
        drop(self.lock.take());
    }
}

/// Whether a name in a folder is one of these folders, whoever's.
pub fn is_one(parent: impl AsFd, name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(PREFIX.as_bytes())
        && openat(parent, name, FOLDER, Mode::empty())
            .and_then(|folder| statat(folder, LOCK, AtFlags::SYMLINK_NOFOLLOW))
            .is_ok()
}

/// Makes the file that is locked. Under its name it is never seen unlocked while its owner lives.
fn lock(folder: &Path) -> rustix::io::Result<OwnedFd> {
    let folder = open(folder)?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let lock = openat(&folder, NEW_LOCK, flags, Mode::RUSR | Mode::WUSR)?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        // a file system without locks: what is left behind there stays
        Err(Errno::NOSYS | Errno::OPNOTSUPP | Errno::NOLCK) => return Ok(lock),
        locked => locked?,
    }
    renameat(&folder, NEW_LOCK, &folder, LOCK)?;
    Ok(lock)
}

/// Opens a folder itself, and no link to one.
fn open(folder: &Path) -> rustix::io::Result<OwnedFd> {
    openat(rustix::fs::CWD, folder, FOLDER, Mode::empty())
}

/// How folders are opened.
const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Whether a run that began there is over, and its folder nobody's: by the lock alone. Gives the
/// lock, which keeps others from removing it at the same time.
fn lock_of_the_dead(folder: &OwnedFd, user: u32) -> Option<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let lock = openat(folder, LOCK, flags, Mode::empty()).ok()?;
    let meta = rustix::fs::fstat(&lock).ok()?;
    let is_file = rustix::fs::FileType::from_raw_mode(meta.st_mode).is_file();
    if !is_file || meta.st_uid != user {
        return None;
    }
    flock(&lock, FlockOperation::NonBlockingLockExclusive).ok()?;
    Some(File::from(lock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_owner_unless_it_is_kept() {
        let place = tempfile::tempdir().expect("a folder");
        let new = || TempFolder::new(Purpose::Run, place.path()).expect("made");
        let (dropped, removed, kept) = (new(), new(), new());
        let paths = [&dropped, &removed, &kept].map(|f| f.path().to_owned());
        std::fs::write(paths[0].join("file"), "text").expect("written");
        drop(dropped);
        removed.remove().expect("removed");
        assert_eq!(kept.keep(), paths[2]);
        assert_eq!(paths.each_ref().map(|p| p.exists()), [false, false, true]);
        let left = std::fs::read_dir(&paths[2]).expect("there").count();
        assert_eq!(left, 0, "its lock went");
    }
}
