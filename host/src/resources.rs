//! What this process may take of the machine: for those that a run starts of itself.
//!
//! Workers, the compiler and the fixture host handle what strangers wrote, so each limits itself
//! as it begins, and tells the system that it is to go first where memory runs out. Plain
//! functions; how much each role needs is known there.

pub use rustix::process::Resource;
use rustix::process::{Rlimit, getrlimit, setrlimit};
use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};

/// How much likelier than others the system is to end a process that [`prefer_for_oom`]: half of
/// the scale, so that it goes before the primary and whatever else the user has open, and still
/// after what the user marked as expendable.
const SACRIFICE: i32 = 500;
/// The end of that scale.
const MOST: i32 = 1000;

/// Has this process end before others where the machine has no memory left.
///
/// Where the system knows no such thing, or does not allow it, nothing is changed.
pub fn prefer_for_oom() {
    let _ = raise("/proc/self/oom_score_adj");
}

fn raise(file: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(file)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let now: i32 = text.trim().parse().map_err(io::Error::other)?;
    let raised = now.saturating_add(SACRIFICE).min(MOST);
    file.write_all(raised.to_string().as_bytes())
}

/// Limits what this process may have of private writable memory to so many bytes, mapped and not
/// only touched. Reserved address space does not count, nor does what is shared or only read.
///
/// It can be raised again. A stricter hard limit of the user's stays as it is.
///
/// # Errors
/// Those of the system.
pub fn limit_data(bytes: u64) -> io::Result<()> {
    let now = getrlimit(Resource::Data);
    set(Resource::Data, least(now.maximum, bytes), now.maximum)
}

/// Limits this process for good: it is told at the first number, where it can be told, and ended
/// at the second. A stricter hard limit of the user's stays as it is.
///
/// # Errors
/// Those of the system.
pub fn limit_for_good(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let now = getrlimit(resource);
    let (soft, hard) = (least(now.maximum, soft), least(now.maximum, hard));
    set(resource, soft, Some(hard))
}

/// Lets this process have so many files open, or as many as the system allows it.
///
/// # Errors
/// Those of the system.
pub fn allow_open_files(count: u64) -> io::Result<()> {
    let now = getrlimit(Resource::Nofile);
    match now.current {
        Some(current) if current < count => {
            let wanted = least(now.maximum, count);
            set(Resource::Nofile, wanted, now.maximum)
        }
        _ => Ok(()),
    }
}

/// The smaller of two, where none is no limit.
fn least(maximum: Option<u64>, wanted: u64) -> u64 {
    maximum.map_or(wanted, |maximum| maximum.min(wanted))
}

fn set(resource: Resource, current: u64, maximum: Option<u64>) -> io::Result<()> {
    let current = Some(current);
    Ok(setrlimit(resource, Rlimit { current, maximum })?)
}

/// How much private writable memory this process has, in bytes; `None` where the system does not
/// tell.
pub fn data() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmData:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_that_was_taken_counts_and_reserved_room_does_not() {
        const SIZE: usize = 8 << 30;
        let map = |access| {
            // SAFETY: a new mapping, which touches no other and is never used.
            unsafe {
                let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
                let at = libc::mmap(std::ptr::null_mut(), SIZE, access, flags, -1, 0);
                assert_ne!(at, libc::MAP_FAILED);
                let data = data().expect("the system tells");
                libc::munmap(at, SIZE);
                data
            }
        };
        let before = data().expect("the system tells");
        // other tests take and give back memory meanwhile, but not as much
        let half = SIZE as u64 / 2;
        assert!(map(libc::PROT_NONE) < before + half);
        assert!(map(libc::PROT_READ | libc::PROT_WRITE) > before + half);
    }

    #[test]
    fn a_score_is_raised_and_stays_on_its_scale() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let path = file.path().to_str().expect("it is text");
        for (now, then) in [("0\n", 500), ("-200\n", 300), ("800\n", 1000)] {
            std::fs::write(path, now).expect("it is written");
            raise(path).expect("it is raised");
            let text = std::fs::read_to_string(path).expect("it is there");
            // the system's own file takes each write as a whole
            assert!(text.ends_with(&then.to_string()), "{text:?}");
        }
    }
}
