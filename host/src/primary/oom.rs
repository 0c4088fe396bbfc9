//! Whether the kernel's OOM killer has ended a process of the run: by the kernel's own count.
//!
//! A SIGKILL says nothing of who sent it. The counts are those of the control group that this
//! process is in (version 2, or 1), else the whole machine's. Where none can be read, nothing is
//! the OOM killer's.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What has been accounted for; `None` until the first process is started.
static SEEN: Mutex<Option<Seen>> = Mutex::new(None);

struct Seen {
    counter: Counter,
    kills: u64,
}

/// A file in which the kernel counts, and the name that the count has there.
struct Counter {
    file: PathBuf,
    name: &'static str,
}

/// From now on kills are counted; what was before is nobody's.
pub(super) fn watch() {
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    if seen.is_none() {
        *seen = Counter::find().map(|(counter, kills)| Seen { counter, kills });
    }
}

/// Whether the kernel has ended a process that nobody has asked about yet: each counts once.
pub(super) fn killed_one() -> bool {
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(seen) = seen.as_mut() else {
        return false;
    };
    let killed = seen.counter.read().is_some_and(|now| now > seen.kills);
    seen.kills += u64::from(killed);
    killed
}

impl Counter {
    /// The one that counts this process, and what it shows.
    fn find() -> Option<(Counter, u64)> {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mut counters = of_groups(&groups, Path::new("/sys/fs/cgroup"));
        counters.push(Counter {
            file: "/proc/vmstat".into(),
            name: "oom_kill",
        });
        let mut shown = counters.into_iter().filter_map(|counter| {
            let kills = counter.read()?;
            Some((counter, kills))
        });
        shown.next()
    }

    fn read(&self) -> Option<u64> {
        let text = fs::read_to_string(&self.file).ok()?;
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        let (_, count) = lines.find(|(name, _)| *name == self.name)?;
        count.trim().parse().ok()
    }
}

/// Where the control groups of `/proc/self/cgroup` are counted, the narrowest first.
fn of_groups(groups: &str, root: &Path) -> Vec<Counter> {
    let mut counters = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let (folder, file) = match controllers {
            "" => (root.to_owned(), "memory.events"),
            _ if controllers.split(',').any(|c| c == "memory") => {
                (root.join("memory"), "memory.oom_control")
            }
            _ => continue,
        };
        // in a container what is mounted may be the group itself
        let inner = folder.join(path.trim_start_matches('/'));
        counters.extend([inner, folder].map(|folder| Counter {
            file: folder.join(file),
            name: "oom_kill",
        }));
    }
    counters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_that_counts_is_found_in_either_version() {
        let root = tempfile::tempdir().expect("a folder");
        let files = |groups: &str| -> Vec<PathBuf> {
            let counters = of_groups(groups, Path::new("/g")).into_iter();
            counters.map(|c| c.file).collect()
        };
        assert_eq!(
            files("0::/a/b\n"),
            ["/g/a/b/memory.events", "/g/memory.events"].map(PathBuf::from)
        );
        assert_eq!(
            files("3:cpu,cpuacct:/a\n2:memory:/a\n1:name=systemd:/a\n"),
            [
                "/g/memory/a/memory.oom_control",
                "/g/memory/memory.oom_control"
            ]
            .map(PathBuf::from)
        );
        let file = root.path().join("memory.events");
        fs::write(&file, "low 0\noom 9\noom_kill 7\noom_group_kill 3\n").expect("written");
        let counter = of_groups("0::/gone\n", root.path()).into_iter();
        let read: Vec<Option<u64>> = counter.map(|c| c.read()).collect();
        assert_eq!(read, [None, Some(7)]);
    }
}
