//! Compiled forms and listings, kept between runs in a folder that is the user's alone.
//!
//! An artefact is native code: loading one that somebody else wrote would be
//! running their program. So the folder must belong to this user and be closed
//! to all others, each file is opened without following links and its owner
//! checked, and a checksum is verified once a run, or skipped when inode, size
//! and times are those recorded and lie at least two seconds before the
//! record (a file that changed later than that could carry the same times).
//! Whatever does not fit is made again and replaced, never loaded.
//!
//! An artefact is named by content, compiler, engine settings and whether what std lacks
//! was filled in; a listing by content and the last of these. By the same rule of times the content of a file is known by
//! its device and inode, for those who start the same program again and again; how long tests take, by
//! the path of their file.

mod durations;
mod housekeeping;
mod known;
mod parts;
mod passes;
mod private;
mod stamp;
mod states;
mod sweep;

pub use durations::{Durations, WORTH_KEEPING};
pub use housekeeping::{MAX_AGE, MAX_BYTES, Usage};
pub use known::{Listed, Remembered};
pub use parts::{LARGEST_ARTEFACT, NewParts, Parts};
pub use states::KEEPING;
pub use sweep::RunMark;

use crate::instrument::{direct, gaps};
use crate::protocol::{Compiler, ContentHash, DirectCalls, Form, StdGaps};
use crate::sandbox::engine;
use housekeeping::IN_USE;
use serde::{Deserialize, Serialize};
use stamp::Stamp;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What is compiled of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArtefactPart {
    /// The module as it is.
    Plain,
    /// The module with its memory from outside.
    Rewritten,
    /// What that memory begins with.
    InitialMemory,
}

impl ArtefactPart {
    fn name(self) -> &'static str {
        match self {
            ArtefactPart::Plain => "",
            ArtefactPart::Rewritten => "-rewritten",
            ArtefactPart::InitialMemory => "-pristine",
        }
    }
}

/// What names tell of the passes: by which rules they went over a module, if they did.
fn passes_name(std_gaps: StdGaps, direct: DirectCalls) -> String {
    let std_gaps = match std_gaps {
        StdGaps::Filled => format!("-std{}", gaps::VERSION),
        StdGaps::Left => String::new(),
    };
    match direct {
        DirectCalls::Prepared => format!("{std_gaps}-direct{}", direct::VERSION),
        DirectCalls::Left => std_gaps,
    }
}

/// The layout of the folder; another version has another folder.
const LAYOUT: &str = "v1";

/// What the names of files begin with that are being written.
const NEW: &str = ".new-";
/// How often a lock that somebody else has is asked for.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What can be wrong with a cache folder.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The folder cannot be made or read.
    #[error("the cache folder {} cannot be used: {source}", dir.display())]
    Io {
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others could write to the folder.
    #[error("the cache folder {} is not this user's alone ({why}): compiled code is never loaded from there", dir.display())]
    NotPrivate {
        dir: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// The cache folder.
#[derive(Clone, Debug)]
pub struct Cache {
    dir: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Record {
    checksum: String,
    stamp: Stamp,
    /// When this record was written, nanoseconds since the epoch.
    recorded: i128,
}

impl Cache {
    /// Opens the cache in `root`, making it if it is not there.
    ///
    /// # Errors
    /// If it cannot be made, or if it is not this user's alone.
    pub fn open(root: &Path) -> Result<Cache, CacheError> {
        let cache = Cache::find(root)?;
        // nothing can be kept where nothing can be written
        tempfile::tempfile_in(&cache.dir).map_err(|source| CacheError::Io {
            dir: cache.dir.clone(),
            source,
        })?;
        Ok(cache)
    }

    /// The same for one who can do without storing anything: whether the folder can
    /// be written is not tried.
    ///
    /// # Errors
    /// If it is not there and cannot be made, or if it is not this user's alone.
    pub fn find(root: &Path) -> Result<Cache, CacheError> {
        let dir = root.join(LAYOUT);
        let io = |source| CacheError::Io {
            dir: dir.clone(),
            source,
        };
        // nothing is made where it would be refused
        if let Some(why) = private::trouble_of_new(&dir).map_err(io)? {
            return Err(CacheError::NotPrivate { dir, why });
        }
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(io)?;
        if let Some(why) = private::trouble(&dir).map_err(io)? {
            return Err(CacheError::NotPrivate { dir, why });
        }
        Ok(Cache { dir })
    }

    /// The cache in a folder that [`Cache::open`] has checked in another process of this run.
    pub fn at(dir: PathBuf) -> Cache {
        Cache { dir }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file name of a module's compiled form.
    pub fn artefact_name(content: ContentHash, form: Form, part: ArtefactPart) -> String {
        let settings = blake3::hash(engine::fingerprint().as_bytes()).to_hex();
        let (compiler, part) = (form.compiler.name(), part.name());
        let passes = passes_name(form.passes.std_gaps, form.passes.direct);
        format!(
            "{content}-{compiler}-{}{part}{passes}.cwasm",
            &settings[..16]
        )
    }

    /// Whether a file's name is one that [`Cache::artefact_name`] gives what this compiler makes.
    fn is_of(file: &Path, compiler: Compiler) -> bool {
        let name = file.file_name().and_then(|name| name.to_str());
        name.and_then(|name| name.split('-').nth(1)) == Some(compiler.name())
    }

    /// Whether a compiled form is here and is what was written. One that is not
    /// stays where it is until the compiler, which holds its lock, replaces it:
    /// another process may be writing it just now.
    pub fn has_artefact(&self, name: &str) -> bool {
        self.check_artefact(name).unwrap_or(false)
    }

    fn check_artefact(&self, name: &str) -> io::Result<bool> {
        let mut file = self.open_file(name)?;
        let stamp = Stamp::of(&file.metadata()?);
        let Some(record) = self.read_record(name) else {
            return Ok(false);
        };
        if record.stamp != stamp || !stamp.is_settled_at(record.recorded) {
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(&mut file)?;
            if hasher.finalize().to_hex().as_str() != record.checksum {
                return Ok(false);
            }
            // where the record cannot be renewed it is verified again next time
            let _ = self.write_record(name, &record.checksum, stamp);
        } else {
            self.mark_used(name);
        }
        Ok(true)
    }

    /// Opens a compiled form that [`Cache::has_artefact`] found or that was just stored.
    ///
    /// # Errors
    /// If it is gone or not this user's alone.
    pub fn open_artefact(&self, name: &str) -> io::Result<File> {
        self.open_file(name)
    }

    /// Opens a file of the cache: no link, this user's, writable by nobody else, and by no other
    /// name. Nobody waits for what is no file.
    fn open_file(&self, name: &str) -> io::Result<File> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK)
            .open(self.dir.join(name))?;
        let meta = file.metadata()?;
        let is_ours = meta.uid() == current_user() && meta.mode() & 0o022 == 0;
        if !meta.is_file() || !is_ours || meta.nlink() != 1 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "not this user's file alone",
            ));
        }
        Ok(file)
    }

    /// Locks one entry across processes, until the file is dropped, if nobody else has it.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn try_lock(&self, name: &str) -> io::Result<Option<File>> {
        let file = self.lock_file(name)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }

    /// The same within such a time, as long as it is wanted; `None` if somebody else keeps it.
    pub fn lock_within(
        &self,
        name: &str,
        patience: Duration,
        is_wanted: impl Fn() -> bool,
    ) -> Option<File> {
        let began = Instant::now();
        while began.elapsed() < patience && is_wanted() {
            match self.try_lock(name) {
                Ok(None) => std::thread::sleep(LOOK_AGAIN),
                Ok(locked) => return locked,
                Err(_) => return None,
            }
        }
        None
    }

    fn lock_file(&self, name: &str) -> io::Result<File> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            // a pipe would be waited for
            .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK)
            .open(self.dir.join(format!("{name}.lock")))?;
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::other("a lock that is no regular file")),
        }
    }

    /// Reads what was sealed, up to so many bytes; `None` if it is not there or not as it was
    /// written.
    fn read_sealed(&self, name: &str, most: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = self.open_file(name).ok()?;
        file.take(most).read_to_end(&mut bytes).ok()?;
        if bytes.len() < blake3::OUT_LEN {
            return None;
        }
        let body = bytes.split_off(blake3::OUT_LEN);
        (blake3::hash(&body).as_bytes().as_slice() == bytes).then_some(body)
    }

    /// Writes what is told to be damaged when it is read.
    fn write_sealed(&self, name: &str, body: &[u8]) -> io::Result<()> {
        let mut bytes = blake3::hash(body).as_bytes().to_vec();
        bytes.extend(body);
        self.write_whole(name, &bytes)
    }

    /// Stores a compiled form: whole, or not at all.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn store_artefact(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.write_whole(name, bytes)?;
        let stamp = Stamp::of(&fs::symlink_metadata(self.dir.join(name))?);
        self.write_record(name, blake3::hash(bytes).to_hex().as_str(), stamp)
    }

    fn write_whole(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.new_file()?;
        file.write_all(bytes)?;
        let (_held, written) = file.into_parts();
        self.put(&written, name)?;
        // it lies elsewhere now
        let _ = written.keep();
        Ok(())
    }

    /// Has a file take its place here, whatever is there: no folder is of the cache's making.
    fn put(&self, file: &Path, name: &str) -> io::Result<()> {
        let place = self.dir.join(name);
        let put = || fs::rename(file, &place);
        match put() {
            Err(e) if e.kind() == io::ErrorKind::IsADirectory => {
                fs::remove_dir_all(&place)?;
                put()
            }
            done => done,
        }
    }

    /// A file that is not there yet for others, locked for as long as it is written.
    fn new_file(&self) -> io::Result<tempfile::NamedTempFile> {
        let file = tempfile::Builder::new()
            .prefix(NEW)
            .tempfile_in(&self.dir)?;
        // held while it is written; where there are no locks nobody sweeps either
        let _ = file.as_file().try_lock();
        Ok(file)
    }

    fn record_path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.json"))
    }

    fn read_record(&self, name: &str) -> Option<Record> {
        let file = self.open_file(&format!("{name}.json")).ok()?;
        serde_json::from_reader(io::BufReader::new(file.take(4096))).ok()
    }

    fn write_record(&self, name: &str, checksum: &str, stamp: Stamp) -> io::Result<()> {
        let record = Record {
            checksum: checksum.to_owned(),
            stamp,
            recorded: now(),
        };
        self.write_whole(&format!("{name}.json"), &serde_json::to_vec(&record)?)
    }

    /// A record's time of modification says when its entry was last used.
    fn mark_used(&self, name: &str) {
        let path = self.record_path(name);
        let stale = fs::symlink_metadata(&path)
            .and_then(|m| m.modified())
            .is_ok_and(|t| t.elapsed().is_ok_and(|age| age > IN_USE / 2));
        if stale && let Ok(file) = OpenOptions::new().write(true).open(&path) {
            let _ = file.set_modified(SystemTime::now());
        }
    }
}

fn now() -> i128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_nanos() as i128)
}

fn current_user() -> u32 {
    // SAFETY: geteuid has no preconditions and cannot fail.
    unsafe { libc::geteuid() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    pub(super) fn cache() -> (tempfile::TempDir, Cache) {
        let root = tempfile::tempdir().expect("a folder");
        let cache = Cache::open(root.path()).expect("a private folder");
        (root, cache)
    }

    #[test]
    fn what_was_stored_is_found_and_what_was_changed_is_not() {
        let (_root, cache) = cache();
        assert!(!cache.has_artefact("a.cwasm"));
        cache
            .store_artefact("a.cwasm", b"native code")
            .expect("stored");
        assert!(cache.has_artefact("a.cwasm"));
        fs::write(cache.dir().join("a.cwasm"), b"NATIVE code").expect("written");
        assert!(!cache.has_artefact("a.cwasm"));
        cache
            .store_artefact("a.cwasm", b"native code")
            .expect("stored");
        assert!(cache.has_artefact("a.cwasm"));
    }

    #[test]
    fn a_pipe_in_place_of_a_lock_is_not_waited_for() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let (_root, cache) = cache();
        let pipe = cache.dir().join("a.lock");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("made");
        assert!(cache.try_lock("a").is_err());
        // one that is read from is no lock either
        let _reader = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&pipe)
            .expect("there");
        assert!(cache.try_lock("a").is_err());
    }

    #[test]
    fn links_and_files_open_to_others_are_never_used() {
        let (root, cache) = cache();
        cache.store_artefact("a.cwasm", b"x").expect("stored");
        let path = cache.dir().join("a.cwasm");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("ours");
        assert!(!cache.has_artefact("a.cwasm"));
        cache.store_artefact("a.cwasm", b"x").expect("stored");
        fs::rename(&path, root.path().join("elsewhere")).expect("moved");
        std::os::unix::fs::symlink(root.path().join("elsewhere"), &path).expect("linked");
        assert!(!cache.has_artefact("a.cwasm"));
    }

    #[test]
    fn a_folder_that_others_can_reach_is_refused() {
        let root = tempfile::tempdir().expect("a folder");
        let dir = root.path().join(LAYOUT);
        fs::create_dir(&dir).expect("made");
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).expect("ours");
        assert!(matches!(
            Cache::open(root.path()),
            Err(CacheError::NotPrivate { .. })
        ));
        fs::remove_dir(&dir).expect("empty");
        std::os::unix::fs::symlink("/tmp", &dir).expect("linked");
        assert!(matches!(
            Cache::open(root.path()),
            Err(CacheError::NotPrivate { .. })
        ));
    }
}
