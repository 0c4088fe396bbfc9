//! How much lies in folders that guests write to: what the disk gives for it, not what
//! files say of their length.
//!
//! Looks at each entry once, goes down by names and up by `..`, where it makes sure that it came
//! to the folder it came from: two descriptors and no stack, however deep. It ends as soon as
//! there is more than allowed.

use super::FOLDER;
use rustix::fs::{AtFlags, Dev, Dir, FileType, Mode, Stat, fstat, openat, statat};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// What a file system counts the space of a file in, in bytes.
const BLOCK: u64 = 512;
/// After so many entries it is asked whether to go on.
const ASK: u64 = 256;

/// What some folders hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// On the disk.
    pub bytes: u64,
    /// Files, folders and links, and what was removed and is still open.
    pub entries: u64,
}

impl Usage {
    fn is_within(&self, most: &Usage) -> bool {
        self.bytes <= most.bytes && self.entries <= most.entries
    }
}

/// Counts.
pub struct Count<'a> {
    usage: Usage,
    most: Usage,
    /// Whether to end early.
    is_to_stop: &'a dyn Fn() -> bool,
    /// Files of several names that were counted under one of them, and open ones without.
    seen: HashSet<Identity>,
}

/// Which file it is: its disk, and its number there.
type Identity = (Dev, u64);

/// It was ended early, or what it looked at changed meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incomplete;

/// A folder on the way down: which it is, and what in it is still to be looked at.
struct Level {
    itself: Identity,
    folders: Vec<CString>,
}

impl<'a> Count<'a> {
    /// Nothing so far. It ends once there is more than `most`, or when this function says so.
    pub fn new(most: Usage, is_to_stop: &'a dyn Fn() -> bool) -> Count<'a> {
        Count {
            usage: Usage::default(),
            most,
            is_to_stop,
            seen: HashSet::new(),
        }
    }

    /// What was counted: if it is more than was allowed, there may be more still.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Adds what lies in a folder.
    ///
    /// # Errors
    /// If it could not be looked through.
    pub fn folder(&mut self, path: &Path) -> Result<(), Incomplete> {
        let folder = super::open(path).map_err(|_| Incomplete)?;
        self.below(folder)
    }

    fn below(&mut self, folder: OwnedFd) -> Result<(), Incomplete> {
        let mut here = folder;
        let mut above: Vec<Level> = Vec::new();
        let mut level = self.level(&here)?;
        while self.usage.is_within(&self.most) {
            if let Some(name) = level.folders.pop() {
                match openat(&here, name.as_c_str(), FOLDER, Mode::empty()) {
                    Ok(folder) => {
                        above.push(level);
                        here = folder;
                        level = self.level(&here)?;
                    }
                    // it is gone, or what it holds is nobody's to see
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS) => {}
                    Err(_) => return Err(Incomplete),
                }
                continue;
            }
            let Some(up) = above.pop() else { break };
            here = openat(&here, c"..", FOLDER, Mode::empty()).map_err(|_| Incomplete)?;
            if identity(&fstat(&here).map_err(|_| Incomplete)?) != up.itself {
                return Err(Incomplete);
            }
            level = up;
        }
        Ok(())
    }

    /// Adds what lies in a folder itself, and finds out which folders do.
    fn level(&mut self, folder: &OwnedFd) -> Result<Level, Incomplete> {
        let itself = identity(&fstat(folder).map_err(|_| Incomplete)?);
        let mut folders = Vec::new();
        for entry in Dir::read_from(folder).map_err(|_| Incomplete)? {
            let entry = entry.map_err(|_| Incomplete)?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let meta = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(meta) => meta,
                Err(Errno::NOENT) => continue,
                Err(_) => return Err(Incomplete),
            };
            self.add(&meta);
            if self.usage.entries.is_multiple_of(ASK) && (self.is_to_stop)() {
                return Err(Incomplete);
            }
            if !self.usage.is_within(&self.most) {
                break;
            }
            if FileType::from_raw_mode(meta.st_mode) == FileType::Directory {
                folders.push(name.to_owned());
            }
        }
        Ok(Level { itself, folders })
    }

    fn add(&mut self, meta: &Stat) {
        self.usage.entries += 1;
        let is_folder = FileType::from_raw_mode(meta.st_mode) == FileType::Directory;
        let several = !is_folder && meta.st_nlink != 1;
        if several && !self.seen.insert(identity(meta)) {
            return;
        }
        let blocks = u64::try_from(meta.st_blocks).unwrap_or(0);
        self.usage.bytes = self.usage.bytes.saturating_add(blocks * BLOCK);
    }

    /// Adds what this process has open of files that were in one of these folders and were
    /// removed.
    #[cfg(target_os = "linux")]
    pub fn removed(&mut self, folders: &[PathBuf]) {
        use std::os::unix::ffi::OsStrExt as _;
        let Ok(open) = std::fs::read_dir("/proc/self/fd") else {
            return;
        };
        for entry in open.flatten() {
            let Ok(target) = entry.path().read_link() else {
                continue;
            };
            let is_gone = target.as_os_str().as_bytes().ends_with(b" (deleted)");
            if !is_gone || !folders.iter().any(|folder| target.starts_with(folder)) {
                continue;
            }
            if let Ok(meta) = rustix::fs::stat(entry.path())
                && meta.st_nlink == 0
            {
                self.add(&meta);
            }
        }
    }

    /// Adds what this process has open of files on the disk of these folders that were removed.
    #[cfg(not(target_os = "linux"))]
    pub fn removed(&mut self, folders: &[PathBuf]) {
        let disks: Vec<_> = folders
            .iter()
            .filter_map(|folder| rustix::fs::stat(folder).ok())
            .map(|meta| meta.st_dev)
            .collect();
        let Ok(open) = std::fs::read_dir("/dev/fd") else {
            return;
        };
        for entry in open.flatten() {
            if let Ok(meta) = rustix::fs::stat(entry.path())
                && meta.st_nlink == 0
                && disks.contains(&meta.st_dev)
            {
                self.add(&meta);
            }
        }
    }
}

fn identity(meta: &Stat) -> Identity {
    (meta.st_dev, meta.st_ino)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::io::Write as _;

    const NO_LIMIT: Usage = Usage {
        bytes: u64::MAX,
        entries: u64::MAX,
    };

    fn count(folder: &Path, most: Usage) -> Usage {
        let mut count = Count::new(most, &|| false);
        count.folder(folder).expect("it can be looked through");
        count.usage()
    }

    #[test]
    fn what_counts_is_what_the_disk_gives() {
        let place = tempfile::tempdir().expect("a folder");
        let at = |name: &str| place.path().join(name);
        assert_eq!(count(place.path(), NO_LIMIT), Usage::default());
        // long, and hardly there
        File::create(at("sparse"))
            .and_then(|f| f.set_len(1 << 40))
            .expect("made");
        assert!(count(place.path(), NO_LIMIT).bytes < 1 << 20);
        let mut file = File::create(at("full")).expect("made");
        file.write_all(&[1; 1 << 20]).expect("written");
        file.sync_all().expect("synced");
        fs::hard_link(at("full"), at("again")).expect("made");
        let usage = count(place.path(), NO_LIMIT);
        assert!((1 << 20..2 << 20).contains(&usage.bytes), "{usage:?}");
        assert_eq!(usage.entries, 3);
        // without a name, and still open
        fs::remove_file(at("full")).expect("removed");
        fs::remove_file(at("again")).expect("removed");
        assert_eq!(count(place.path(), NO_LIMIT).entries, 1);
        let root = place.path().canonicalize().expect("there");
        let mut of_removed = Count::new(NO_LIMIT, &|| false);
        of_removed.removed(&[root]);
        assert!(of_removed.usage().bytes >= 1 << 20);
    }

    #[test]
    fn it_ends_at_what_is_allowed_and_no_depth_is_too_deep() {
        let place = tempfile::tempdir().expect("a folder");
        for n in 0..50 {
            fs::create_dir_all(place.path().join(format!("{n}/x/y"))).expect("made");
        }
        assert_eq!(count(place.path(), NO_LIMIT).entries, 150);
        let most = Usage {
            entries: 20,
            ..NO_LIMIT
        };
        assert_eq!(count(place.path(), most).entries, 21);
        let mut stopped = Count::new(NO_LIMIT, &|| true);
        for n in 0..ASK {
            fs::write(place.path().join(format!("f{n}")), "").expect("written");
        }
        assert_eq!(stopped.folder(place.path()), Err(Incomplete));
        let mut folder = super::super::open(&place.path().join("7")).expect("there");
        for _ in 0..10_000 {
            rustix::fs::mkdirat(&folder, c"d", Mode::RWXU).expect("made");
            folder = openat(&folder, c"d", FOLDER, Mode::empty()).expect("made");
        }
        let all = count(place.path(), NO_LIMIT).entries;
        assert_eq!(all, 150 + ASK + 10_000);
        super::super::remove::folder(&place.path().join("7")).expect("removed");
    }
}
