//! The private, empty folder that a test finds at `/tmp`, and one that stays empty.
//!
//! One a worker, used again as long as no test has touched it: making, opening
//! and removing a folder costs 155 us (ext4, measured), many times what a
//! small test does. Handled through cap-std, so that nothing a guest left in
//! it, links included, leads outside.

use super::quota::Quota;
use crate::grant::DirGrant;
use crate::grant::protected::where_it_lies;
use crate::protocol::MaxScratch;
use crate::temporary::remove;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder that stays empty, below the run's own.
pub const NOTHING: &str = "nothing";

/// Where copies of other folders are found in a scratch folder that was kept.
const KEPT_COPIES: &str = "dirs";

/// The scratch folders of one worker.
pub struct Scratch {
    root: PathBuf,
    dir: Dir,
    worker: u32,
    number: u64,
    current: Option<String>,
    /// The folder that holds a test's copies of others, if it has any.
    copies: Option<String>,
    /// Whether the folder that stays empty is known to be there.
    has_nothing: bool,
    max: MaxScratch,
    /// What may still be written to the folders that there are now.
    quota: Arc<Quota>,
}

impl Scratch {
    /// Scratch folders below `root`, which exists and is this run's own.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn new(root: &Path, max: MaxScratch) -> io::Result<Scratch> {
        Ok(Scratch {
            root: root.to_owned(),
            dir: Dir::open_ambient_dir(root, ambient_authority())?,
            worker: std::process::id(),
            number: 0,
            current: None,
            copies: None,
            has_nothing: false,
            max,
            quota: Quota::new(max),
        })
    }

    /// The folder of the next test, which is empty.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn folder(&mut self) -> io::Result<PathBuf> {
        let name = match self.current.take() {
            Some(name) => name,
            None => self.make()?,
        };
        let path = self.root.join(self.current.insert(name));
        self.quota.covers(&path);
        Ok(path)
    }

    /// The run's folder in which nothing ever is: to be granted for reading alone.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn nothing(&mut self) -> io::Result<PathBuf> {
        if !self.has_nothing {
            match self.dir.create_dir(NOTHING) {
                // all workers of a run share it
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                made => made?,
            }
            self.has_nothing = true;
        }
        Ok(self.root.join(NOTHING))
    }

    /// A new, empty folder for a test's copies of others; it goes with the scratch folder.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn copies(&mut self) -> io::Result<(PathBuf, Dir)> {
        self.discard_copies();
        let name = self.make()?;
        let name = self.copies.insert(name);
        let path = self.root.join(&*name);
        self.quota.covers(&path);
        Ok((path, self.dir.open_dir(&*name)?))
    }

    /// What may still be written to the folders that there are.
    pub(super) fn quota(&self) -> Arc<Quota> {
        self.quota.clone()
    }

    /// Whether there is a folder of copies.
    pub fn has_copies(&self) -> bool {
        self.copies.is_some()
    }

    fn discard_copies(&mut self) {
        if let Some(name) = self.copies.take() {
            // what cannot be removed goes with the run's own folder
            let _ = remove::folder_in(&self.dir, name.as_ref());
        }
    }

    fn make(&mut self) -> io::Result<String> {
        loop {
            self.number += 1;
            let name = format!("{}-{}", self.worker, self.number);
            match self.dir.create_dir(&name) {
                // an earlier worker had this process id
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|()| name),
            }
        }
    }

    /// Keeps the folder as a test left it, with its copies of others in it; the next test gets
    /// another.
    pub fn keep(&mut self) -> Option<PathBuf> {
        self.quota = Quota::new(self.max);
        if let (Some(name), Some(copies)) = (&self.current, self.copies.take()) {
            // the test may have made something of that name itself
            let mut names = std::iter::once(KEPT_COPIES.to_owned())
                .chain((2..100).map(|n| format!("{KEPT_COPIES}-{n}")));
            let kept = names.any(|to| {
                let to = Path::new(name).join(to);
                self.dir.rename(&copies, &self.dir, to).is_ok()
            });
            if !kept {
                let _ = remove::folder_in(&self.dir, copies.as_ref());
            }
        }
        self.current.take().map(|name| self.root.join(name))
    }

    /// Removes the folder and what a test left in it; the next test gets another.
    pub fn discard(&mut self) {
        self.quota = Quota::new(self.max);
        self.discard_copies();
        if let Some(name) = self.current.take() {
            // what cannot be removed goes with the run's own folder
            let _ = remove::folder_in(&self.dir, name.as_ref());
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.discard();
    }
}

/// Where scratch folders are made: `usual`, the system's place for what is temporary, unless tests
/// are granted a folder that it lies in, and would find each other's there. The second is
/// whether they would find them wherever there is room.
pub fn place(granted: &[&DirGrant], usual: &Path) -> (PathBuf, bool) {
    let is_seen = |place: &Path| {
        let place = where_it_lies(place);
        granted.iter().any(|grant| place.starts_with(&grant.host))
    };
    let others = ["/tmp", "/var/tmp", "/dev/shm"].map(PathBuf::from);
    let mut all = std::iter::once(usual.to_owned()).chain(others);
    let has_room = |place: &PathBuf| *place == usual || tempfile::tempfile_in(place).is_ok();
    match all.find(|place| !is_seen(place) && has_room(place)) {
        Some(place) => (place, false),
        None => (usual.to_owned(), true),
    }
}
