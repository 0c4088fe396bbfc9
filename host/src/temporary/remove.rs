//! Removes folders whatever their guests made of them.
//!
//! Folders in folders are gone into for a few levels; what lies deeper is first moved up to
//! the folder that is being removed, so that no depth takes stack or descriptors. No link is
//! followed, no other file system entered, and rights that are missing are given.

use super::FOLDER;
use rustix::fs::{
    AtFlags, Dev, Dir, FileType, Mode, OFlags, fchmod, fstat, openat, renameat, unlinkat,
};
use rustix::io::Errno;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// How many levels are gone into before what lies deeper is moved up.
const LEVELS: usize = 16;
/// How often it is tried again while others go on writing there.
const TRIES: usize = 16;

/// Removes a folder, or whatever else is there by now.
///
/// # Errors
/// For the first thing in it that cannot be removed; the rest is.
pub fn folder(path: &Path) -> io::Result<()> {
    let no_name = || io::Error::from(io::ErrorKind::InvalidInput);
    let name = path.file_name().ok_or_else(no_name)?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // the way there is this program's own
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let parent = openat(rustix::fs::CWD, parent, flags, Mode::empty())?;
    folder_in(parent, Path::new(name))
}

/// The same for a name in a folder that is open.
///
/// # Errors
/// As [`folder`].
pub fn folder_in(parent: impl AsFd, name: &Path) -> io::Result<()> {
    let parent = parent.as_fd();
    let root = match enter(parent, name) {
        Ok(root) => root,
        Err(Errno::NOENT) => return Ok(()),
        Err(Errno::NOTDIR | Errno::LOOP | Errno::MLINK) => {
            return Ok(unlinkat(parent, name, AtFlags::empty())?);
        }
        Err(e) => return Err(e.into()),
    };
    let mut removal = Removal {
        device: fstat(&root)?.st_dev,
        root: root.as_fd(),
        moved: 0,
        trouble: None,
    };
    let mut tries = 0;
    loop {
        let moved = removal.moved;
        removal.trouble = None;
        removal.clear(root.as_fd(), 0);
        match unlinkat(parent, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            // what was moved up is next
            Err(Errno::NOTEMPTY | Errno::EXIST) if removal.moved > moved => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) if tries < TRIES => tries += 1,
            Err(e) => return Err(removal.trouble.unwrap_or(e).into()),
        }
    }
}

struct Removal<'a> {
    root: BorrowedFd<'a>,
    device: Dev,
    /// How many folders were moved up; also what the last of them was called.
    moved: u64,
    /// What could not be removed first.
    trouble: Option<Errno>,
}

impl Removal<'_> {
    /// Removes what lies in a folder that is so many levels below the root.
    fn clear(&mut self, folder: BorrowedFd<'_>, level: usize) {
        let entries = match Dir::read_from(folder) {
            Ok(entries) => entries,
            Err(e) => return self.note(e),
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(e) => return self.note(e),
            };
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let removed = match entry.file_type() {
                FileType::Directory => self.folder(folder, name, level),
                _ => match unlinkat(folder, name, AtFlags::empty()) {
                    // not all file systems tell what an entry is
                    Err(Errno::ISDIR | Errno::PERM) => self.folder(folder, name, level),
                    removed => removed,
                },
            };
            match removed {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(e) => self.note(e),
            }
        }
    }

    fn folder(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &CStr,
        level: usize,
    ) -> rustix::io::Result<()> {
        let folder = enter(parent, name)?;
        if fstat(&folder)?.st_dev != self.device {
            return Err(Errno::BUSY);
        }
        if level < LEVELS {
            self.clear(folder.as_fd(), level + 1);
            return match unlinkat(parent, name, AtFlags::REMOVEDIR) {
                // why it is not empty was noted
                Err(Errno::NOTEMPTY | Errno::EXIST) if self.trouble.is_some() => Ok(()),
                removed => removed,
            };
        }
        drop(folder);
        loop {
            self.moved += 1;
            let to = format!(".moved-{}", self.moved);
            match renameat(parent, name, self.root, to.as_str()) {
                // the guest has made something of that name
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
                moved => return moved,
            }
        }
    }

    fn note(&mut self, error: Errno) {
        self.trouble.get_or_insert(error);
    }
}

/// Opens a folder, and gives its owner all rights in it.
fn enter<P: rustix::path::Arg + Copy>(
    parent: BorrowedFd<'_>,
    name: P,
) -> rustix::io::Result<OwnedFd> {
    let folder = match openat(parent, name, FOLDER, Mode::empty()) {
        Err(Errno::ACCESS) => {
            allow(parent, name)?;
            openat(parent, name, FOLDER, Mode::empty())?
        }
        opened => opened?,
    };
    let mode = Mode::from_raw_mode(fstat(&folder)?.st_mode);
    if !mode.contains(Mode::RWXU) {
        // where that is not allowed, what follows says so
        let _ = fchmod(&folder, Mode::RWXU);
    }
    Ok(folder)
}

/// Gives its owner all rights in a folder that cannot be opened for reading.
#[cfg(target_os = "linux")]
fn allow<P: rustix::path::Arg + Copy>(parent: BorrowedFd<'_>, name: P) -> rustix::io::Result<()> {
    use std::os::fd::AsRawFd as _;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = openat(parent, name, flags, Mode::empty())?;
    let itself = format!("/proc/self/fd/{}", folder.as_raw_fd());
    rustix::fs::chmod(itself, Mode::RWXU)
}

/// Gives its owner all rights in a folder that cannot be opened for reading.
#[cfg(not(target_os = "linux"))]
fn allow<P: rustix::path::Arg + Copy>(parent: BorrowedFd<'_>, name: P) -> rustix::io::Result<()> {
    rustix::fs::chmodat(parent, name, Mode::RWXU, AtFlags::SYMLINK_NOFOLLOW)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{mkdirat, statat};
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    /// Makes so many folders, each in the one before.
    fn nest(at: &Path, levels: usize) {
        let mut folder = super::super::open(at).expect("there");
        for _ in 0..levels {
            mkdirat(&folder, "d", Mode::RWXU).expect("made");
            folder = openat(&folder, "d", FOLDER, Mode::empty()).expect("made");
        }
        fs::write(at.join("d/file"), "text").expect("written");
    }

    #[test]
    fn no_depth_takes_stack_or_descriptors() {
        let place = tempfile::tempdir().expect("a folder");
        let deep = place.path().join("deep");
        fs::create_dir(&deep).expect("made");
        nest(&deep, 4_000);
        // a name that what is moved up would have
        fs::create_dir_all(deep.join(".moved-1/full")).expect("made");
        fs::write(deep.join(".moved-2"), "a file").expect("written");
        let with_little = std::thread::Builder::new().stack_size(64 << 10);
        let path = deep.clone();
        let removing = with_little.spawn(move || folder(&path)).expect("started");
        removing.join().expect("no panic").expect("removed");
        assert!(!deep.exists());
    }

    #[test]
    fn rights_that_are_missing_do_not_stop_it_and_links_lead_nowhere() {
        let place = tempfile::tempdir().expect("a folder");
        let (root, outside) = (place.path().join("root"), place.path().join("outside"));
        fs::create_dir_all(root.join("closed/in")).expect("made");
        fs::create_dir_all(&outside).expect("made");
        fs::write(outside.join("f"), "stays").expect("written");
        fs::write(root.join("closed/in/f"), "goes").expect("written");
        symlink(&outside, root.join("closed/link")).expect("made");
        symlink(&outside, root.join("link")).expect("made");
        for name in ["closed/in", "closed", ""] {
            let none = fs::Permissions::from_mode(0o000);
            fs::set_permissions(root.join(name), none).expect("set");
        }
        folder(&root).expect("removed");
        assert!(!root.exists());
        assert_eq!(
            fs::read_to_string(outside.join("f")).expect("there"),
            "stays"
        );
        // what is a link itself goes as one
        symlink(&outside, &root).expect("made");
        folder(&root).expect("removed");
        assert!(statat(rustix::fs::CWD, &root, AtFlags::SYMLINK_NOFOLLOW).is_err());
        assert!(outside.join("f").exists());
        folder(&root).expect("it is gone already");
    }
}
