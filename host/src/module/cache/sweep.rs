//! What processes that were killed left in the cache, and how it is known as such.
//!
//! Whoever writes something holds a lock on it until it has its name, and a run whose states
//! lie here one on a file of its own ([`Cache::mark_run`]): the system gives up locks with the
//! process that holds them, however that ends. What nobody holds is removed.

use super::{Cache, NEW};
use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is younger may not have been locked yet by whoever writes it.
const JUST_BEGUN: Duration = Duration::from_secs(60);
/// What the file is called that says of a run that it goes on.
const ALIVE: &str = "alive";

/// Says that a run goes on, as long as this is there.
#[derive(Debug)]
pub struct RunMark {
    path: PathBuf,
    _lock: File,
}

impl Drop for RunMark {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Cache {
    /// Says that a run of this name goes on: what it keeps here is not left over.
    ///
    /// # Errors
    /// Those of the file system; nothing of the run is swept then.
    pub fn mark_run(&self, run: &str) -> io::Result<RunMark> {
        let path = self.dir.join(format!("{run}.{ALIVE}"));
        let lock = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&path)?;
        let mark = RunMark { path, _lock: lock };
        mark._lock.try_lock()?;
        Ok(mark)
    }

    /// Removes what processes that are gone were writing when they ended, and the states of
    /// runs that are gone.
    pub fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.dir) else {
            return;
        };
        let mut of_runs = Vec::new();
        let mut gone = Vec::new();
        for entry in entries.flatten() {
            let (name, path) = (entry.file_name(), entry.path());
            if name.as_bytes().starts_with(NEW.as_bytes()) {
                if entry.metadata().is_ok_and(|meta| is_old(&meta)) && is_unheld(&path) {
                    let _ = remove(&path);
                }
            } else if name.as_bytes().starts_with(b"run-") {
                let is_mark = path.extension() == Some(OsStr::new(ALIVE));
                if is_mark && entry.metadata().is_ok_and(|meta| is_old(&meta)) && is_unheld(&path) {
                    gone.extend(path.file_stem().map(OsStr::to_owned));
                }
                of_runs.push((name, path));
            }
        }
        for run in gone {
            let its = of_runs.iter().filter(|(name, _)| is_of(&run, name));
            for (_, path) in its {
                let _ = remove(path);
            }
        }
    }

    /// Removes all that a run of this name keeps here but for its mark: nobody of it is left.
    pub fn remove_run(&self, run: &str) {
        let Ok(entries) = fs::read_dir(&self.dir) else {
            return;
        };
        for entry in entries.flatten() {
            let (name, path) = (entry.file_name(), entry.path());
            if is_of(OsStr::new(run), &name) && path.extension() != Some(OsStr::new(ALIVE)) {
                let _ = remove(&path);
            }
        }
    }
}

/// Whether a file's name is one of those that this run gives.
fn is_of(run: &OsStr, name: &OsStr) -> bool {
    let rest = name.as_bytes().strip_prefix(run.as_bytes());
    rest.is_some_and(|rest| matches!(rest.first(), Some(b'-' | b'.')))
}

/// Whether whoever made it has had the time to lock it.
fn is_old(meta: &Metadata) -> bool {
    let age = meta.modified().ok().and_then(|t| t.elapsed().ok());
    age.is_some_and(|age| age >= JUST_BEGUN)
}

/// Whether nobody has locked it.
fn is_unheld(path: &Path) -> bool {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(path);
    opened.is_ok_and(|file| file.try_lock().is_ok())
}

/// Removes a file, or a folder with all that is in it.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        _ => fs::remove_file(path),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::cache;
    use super::*;
    use std::time::SystemTime;

    fn age(path: &Path) {
        let file = File::open(path).expect("there");
        let hour = Duration::from_secs(3600);
        file.set_modified(SystemTime::now() - hour).expect("ours");
    }

    #[test]
    fn what_is_half_written_goes_once_its_writer_is_gone() {
        let (_root, cache) = cache();
        let parts = cache.new_parts().expect("made");
        let file = cache.new_file().expect("made");
        fs::write(parts.path().join("plain"), b"half").expect("written");
        for held in [parts.path(), file.path()] {
            age(held);
        }
        // as a process leaves them that was killed
        let left = [
            cache.dir().join(".new-file"),
            cache.dir().join(".new-folder"),
            cache.dir().join(".new-a-moment-ago"),
        ];
        fs::write(&left[0], b"half").expect("written");
        fs::create_dir(&left[1]).expect("made");
        fs::write(left[1].join("plain"), b"half").expect("written");
        fs::write(&left[2], b"half").expect("written");
        for old_one in &left[..2] {
            age(old_one);
        }
        cache.sweep();
        assert_eq!(left.map(|path| path.exists()), [false, false, true]);
        assert!(parts.path().join("plain").exists() && file.path().exists());
    }

    #[test]
    fn the_states_of_a_run_go_once_it_is_gone() {
        let (_root, cache) = cache();
        let state = |run: &str, rest: &str| {
            let path = cache.dir().join(format!("{run}{rest}"));
            fs::write(&path, b"a state").expect("written");
            path
        };
        let alive = cache.mark_run("run-1-10").expect("marked");
        let of_alive = state("run-1-10", "-0.state");
        // as it stays of one that was killed
        let mark = state("run-1-1", ".alive");
        let of_gone = ["-0.state", "-0.state.json", "-w1-0.cwasm"].map(|r| state("run-1-1", r));
        age(&alive.path);
        age(&mark);
        cache.sweep();
        assert!(of_alive.exists() && alive.path.exists());
        assert!(!mark.exists() && of_gone.iter().all(|path| !path.exists()));
        drop(alive);
        assert_eq!(fs::read_dir(cache.dir()).expect("there").count(), 1);
    }
}
