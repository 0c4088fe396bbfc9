//! Removes what killed runs left behind.
//!
//! What is this user's, is named as our folders are and holds a lock that nobody holds: no
//! process id is believed, which another process may have by now, and no folder of a run that
//! is under way is touched. It is done beside the run, which waits for it only briefly.

use super::{FOLDER, PREFIX, lock_of_the_dead, remove};
use rustix::fs::{AtFlags, Mode, OFlags, fstat, openat, unlinkat};
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, SystemTime};

/// How long a run that is over waits for it: what is left then, the next one removes.
const PATIENCE: Duration = Duration::from_secs(2);
/// After this long an empty folder without a lock is none that is just being made.
const NEW: Duration = Duration::from_secs(3600);

/// A sweep under way.
pub struct Sweep {
    done: Receiver<()>,
}

impl Sweep {
    /// Begins to look through these folders for what was left behind in them.
    pub fn begin(mut places: Vec<PathBuf>) -> Sweep {
        places.sort();
        places.dedup();
        let (tell, done) = mpsc::channel();
        // where no thread can be had, nothing is swept
        let _ = thread::Builder::new()
            .name("sweep".to_owned())
            .spawn(move || {
                for place in places {
                    sweep(&place);
                }
                let _ = tell.send(());
            });
        Sweep { done }
    }

    /// Waits for its end, but not for long.
    pub fn finish(self) {
        let _ = self.done.recv_timeout(PATIENCE);
    }
}

fn sweep(place: &Path) {
    // where it lies is the user's to say, by a link, too
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(open_place) = openat(rustix::fs::CWD, place, flags, Mode::empty()) else {
        return;
    };
    let Ok(entries) = rustix::fs::Dir::read_from(&open_place) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_bytes().starts_with(PREFIX.as_bytes())
            && let Ok(name) = name.to_str()
        {
            sweep_one(&open_place, name);
        }
    }
}

/// Removes a folder if it was left behind.
fn sweep_one(place: impl AsFd, name: &str) {
    let place = place.as_fd();
    let Ok(folder) = openat(place, name, FOLDER, Mode::empty()) else {
        return;
    };
    let user = rustix::process::geteuid().as_raw();
    let Ok(meta) = fstat(&folder) else { return };
    if meta.st_uid != user {
        return;
    }
    match lock_of_the_dead(&folder, user) {
        Some(_lock) => {
            let _ = remove::folder_in(place, OsStr::new(name).as_ref());
        }
        // it was killed before it could lock anything
        None if is_old(meta.st_mtime) => {
            // unless it holds anything
            let _ = unlinkat(place, name, AtFlags::REMOVEDIR);
        }
        None => {}
    }
}

/// Whether a time, in seconds since the epoch, is long past.
fn is_old(changed: i64) -> bool {
    let changed = Duration::from_secs(u64::try_from(changed).unwrap_or(0));
    let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + changed);
    age.is_ok_and(|age| age > NEW)
}

#[cfg(test)]
mod tests {
    use super::super::{LOCK, Purpose, TempFolder};
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_what_has_our_name_and_a_lock_that_nobody_holds_is_removed() {
        let place = tempfile::tempdir().expect("a folder");
        let at = |name: &str| place.path().join(name);
        let alive = TempFolder::new(Purpose::Run, place.path()).expect("made");
        // as a run leaves it that is killed
        fs::create_dir_all(at("wasmtest-dead/7-1/deep")).expect("made");
        fs::write(at("wasmtest-dead").join(LOCK), "").expect("written");
        fs::write(at("wasmtest-dead/7-1/file"), "text").expect("written");
        // not ours, for one reason or another
        fs::create_dir(at("wasmtest-bare")).expect("made");
        fs::create_dir(at("wasmtest-dir")).expect("made");
        fs::create_dir(at("wasmtest-dir").join(LOCK)).expect("made");
        fs::create_dir(at("other")).expect("made");
        fs::write(at("other").join(LOCK), "").expect("written");
        symlink(at("other"), at("wasmtest-link")).expect("made");
        fs::create_dir(at("wasmtest-linked")).expect("made");
        symlink(at("other").join(LOCK), at("wasmtest-linked").join(LOCK)).expect("made");
        fs::write(at("wasmtest-file"), "text").expect("written");
        Sweep::begin(vec![
            place.path().to_owned(),
            at("gone"),
            place.path().to_owned(),
        ])
        .finish();
        assert!(!at("wasmtest-dead").exists());
        assert!(alive.path().join(LOCK).exists());
        for kept in ["bare", "dir", "link", "linked", "file"] {
            let name = at(&format!("wasmtest-{kept}"));
            assert!(fs::symlink_metadata(name).is_ok(), "{kept}");
        }
        assert!(at("other").join(LOCK).exists());
    }
}
