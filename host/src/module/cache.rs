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
//! An artefact is named by content, compiler and engine settings; a listing by
//! content alone. By the same rule of times the content of a file is known by
//! its device and inode, for those who start the same program again and again.

use super::ContentHash;
use crate::event::Harness;
use crate::instrument::Facts;
use crate::protocol::ListedTest;
use crate::sandbox::engine;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What made a compiled form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compiler {
    /// wasmtime's optimising compiler.
    Cranelift,
}

/// What is compiled of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The module as it is.
    Plain,
    /// The module with its memory from outside.
    Rewritten,
    /// What that memory begins with.
    Pristine,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::Plain => "",
            Part::Rewritten => "-rewritten",
            Part::Pristine => "-pristine",
        }
    }
}

impl Compiler {
    fn name(self) -> &'static str {
        match self {
            Compiler::Cranelift => "cranelift",
        }
    }
}

/// Entries not used for this long are removed.
pub const MAX_AGE: Duration = Duration::from_secs(14 * 24 * 3600);
/// The least recently used entries go when all together are larger than this:
/// room for some hundred edits of a large debug binary.
pub const MAX_BYTES: u64 = 2 << 30;
/// An entry in use by a run that is under way is never removed.
const IN_USE: Duration = Duration::from_secs(3600);
/// Times closer together than this may hide a change (coarse file systems).
const RACY: i128 = 2_000_000_000;
/// To be raised with any change in how files are listed.
const LISTING: u32 = 5;
/// To be raised with any change in how modules are rewritten.
const FACTS: u32 = 1;
/// The layout of the folder; another version has another folder.
const LAYOUT: &str = "v1";

/// What can be wrong with a cache folder.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The folder cannot be made or read.
    #[error("the cache folder {} cannot be used: {source}", dir.display())]
    Io {
        /// Which folder.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others could write to the folder.
    #[error("the cache folder {} is not this user's alone ({why}): compiled code is never loaded from there", dir.display())]
    NotPrivate {
        /// Which folder.
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

/// What a file of the user's was found to hold.
#[derive(Serialize, Deserialize)]
struct Known {
    content: ContentHash,
    stamp: Stamp,
    /// When it was read, nanoseconds since the epoch.
    read: i128,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: i128,
    changed: i128,
}

impl Stamp {
    fn of(meta: &fs::Metadata) -> Self {
        let nanos = |s: i64, n: i64| i128::from(s) * 1_000_000_000 + i128::from(n);
        Stamp {
            inode: meta.ino(),
            size: meta.size(),
            modified: nanos(meta.mtime(), meta.mtime_nsec()),
            changed: nanos(meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// Whether a change after this moment cannot carry the same times.
    fn is_settled_at(&self, moment: i128) -> bool {
        moment - self.modified.max(self.changed) >= RACY
    }
}

/// What the cache holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Compiled forms.
    pub artefacts: usize,
    /// Bytes of all files.
    pub bytes: u64,
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
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(io)?;
        let meta = fs::symlink_metadata(&dir).map_err(io)?;
        let not_private = |why: String| CacheError::NotPrivate {
            dir: dir.clone(),
            why,
        };
        if !meta.is_dir() {
            return Err(not_private("it is a link".into()));
        }
        if meta.uid() != current_user() {
            return Err(not_private(format!("it belongs to user {}", meta.uid())));
        }
        if meta.mode() & 0o077 != 0 {
            return Err(not_private(format!(
                "its mode is {:o}; chmod 700 it",
                meta.mode() & 0o777
            )));
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
    pub fn artefact_name(content: ContentHash, compiler: Compiler, part: Part) -> String {
        let settings = blake3::hash(engine::fingerprint().as_bytes()).to_hex();
        let (compiler, part) = (compiler.name(), part.name());
        format!("{content}-{compiler}-{}{part}.cwasm", &settings[..16])
    }

    /// What a file of the user's holds, if it was read before and has not changed since.
    pub fn known_content(&self, file: &fs::Metadata) -> Option<ContentHash> {
        let known = self.open_file(&known_name(file)).ok()?;
        let known: Known = serde_json::from_reader(known.take(4096)).ok()?;
        let same = known.stamp == Stamp::of(file) && known.stamp.is_settled_at(known.read);
        same.then_some(known.content)
    }

    /// Keeps what a file of the user's holds, which had this metadata before it was read.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn store_content(&self, file: &fs::Metadata, content: ContentHash) -> io::Result<()> {
        let stamp = Stamp::of(file);
        let read = now();
        if !stamp.is_settled_at(read) {
            // it would never be believed
            return Ok(());
        }
        let known = Known {
            content,
            stamp,
            read,
        };
        self.write_whole(&known_name(file), &serde_json::to_vec(&known)?)
    }

    /// How a file of this content runs when it is started, if that was found out; the inner
    /// `None` if there is nothing to start.
    pub fn kind(&self, content: ContentHash) -> Option<Option<Harness>> {
        let file = self.open_file(&kind_name(content)).ok()?;
        serde_json::from_reader(file.take(64)).ok()
    }

    /// Keeps how a file of this content runs; a failure costs the next call a look.
    pub fn store_kind(&self, content: ContentHash, kind: Option<Harness>) {
        if let Ok(bytes) = serde_json::to_vec(&kind) {
            let _ = self.write_whole(&kind_name(content), &bytes);
        }
    }

    /// What is known of a module's rewriting, or why it cannot be rewritten; `None` if
    /// that was not tried.
    pub fn facts(&self, content: ContentHash) -> Option<Result<Facts, String>> {
        let mut bytes = Vec::new();
        let mut file = self.open_file(&facts_name(content)).ok()?;
        file.read_to_end(&mut bytes).ok()?;
        ciborium::from_reader(bytes.as_slice()).ok()
    }

    /// Keeps what is known of a module's rewriting.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn store_facts(
        &self,
        content: ContentHash,
        facts: &Result<Facts, String>,
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        ciborium::into_writer(facts, &mut bytes).map_err(io::Error::other)?;
        self.write_whole(&facts_name(content), &bytes)
    }

    /// A file name that no other run uses, nor this one for another number.
    pub fn name_for_a_run(number: usize, extension: &str) -> String {
        format!("run-{}-{}-{number}.{extension}", std::process::id(), now())
    }

    /// Writes a state that is to be compiled, under a name that ends in `.state`.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn store_state(&self, name: &str, module: &[u8]) -> io::Result<()> {
        self.write_whole(name, module)
    }

    /// Reads such a state, and removes its file.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn take_state(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open_file(name)?.read_to_end(&mut bytes)?;
        fs::remove_file(self.dir.join(name))?;
        Ok(bytes)
    }

    /// Removes a compiled form that no other run can want.
    pub fn remove_artefact(&self, name: &str) {
        let _ = fs::remove_file(self.dir.join(name));
        let _ = fs::remove_file(self.record_path(name));
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

    /// Opens a file of the cache: no link, this user's, writable by nobody else.
    fn open_file(&self, name: &str) -> io::Result<File> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
            .open(self.dir.join(name))?;
        let meta = file.metadata()?;
        if !meta.is_file() || meta.uid() != current_user() || meta.mode() & 0o022 != 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "not this user's file alone",
            ));
        }
        Ok(file)
    }

    /// Locks one entry across processes, until the file is dropped.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn lock(&self, name: &str) -> io::Result<File> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
            .open(self.dir.join(format!("{name}.lock")))?;
        file.lock()?;
        Ok(file)
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

    /// The tests that a module was found to hold.
    pub fn listing(&self, content: ContentHash, harness: Harness) -> Option<Vec<ListedTest>> {
        let mut bytes = Vec::new();
        let name = listing_name(content, harness);
        let mut file = self.open_file(&name).ok()?;
        file.read_to_end(&mut bytes).ok()?;
        ciborium::from_reader(bytes.as_slice()).ok()
    }

    /// Keeps the tests that a module was found to hold; a failure costs the next run a listing.
    pub fn store_listing(&self, content: ContentHash, harness: Harness, tests: &[ListedTest]) {
        let mut bytes = Vec::new();
        if ciborium::into_writer(tests, &mut bytes).is_ok() {
            let _ = self.write_whole(&listing_name(content, harness), &bytes);
        }
    }

    fn write_whole(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(".new-")
            .tempfile_in(&self.dir)?;
        file.write_all(bytes)?;
        file.persist(self.dir.join(name)).map_err(|e| e.error)?;
        Ok(())
    }

    fn record_path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.json"))
    }

    fn read_record(&self, name: &str) -> Option<Record> {
        let file = self.open_file(&format!("{name}.json")).ok()?;
        serde_json::from_reader(file.take(4096)).ok()
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

    /// What the cache holds.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn usage(&self) -> io::Result<Usage> {
        let mut usage = Usage::default();
        for (path, meta) in self.files()? {
            usage.bytes += meta.len();
            usage.artefacts += usize::from(path.extension().is_some_and(|e| e == "cwasm"));
        }
        Ok(usage)
    }

    /// Removes everything that is the cache's; gives what there was. What is
    /// being written just now stays, and so do locks, which others may hold.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn clear(&self) -> io::Result<Usage> {
        let usage = self.usage()?;
        for (path, _) in self.files()? {
            let ours = ["cwasm", "json", "tests", "facts", "known", "kind", "state"];
            if !path
                .extension()
                .is_some_and(|e| ours.iter().any(|o| e == *o))
            {
                continue;
            }
            match fs::remove_file(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(usage)
    }

    /// Removes what is too old, and the least recently used while all is too large.
    pub fn prune(&self, max_bytes: u64, max_age: Duration) {
        let Ok(files) = self.files() else { return };
        // an entry: the files whose names begin alike, as old as its youngest
        let mut entries: std::collections::HashMap<String, (Duration, u64, Vec<PathBuf>)> =
            std::collections::HashMap::new();
        for (path, meta) in files {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let entry = name.split('.').next().unwrap_or_default().to_owned();
            let age = meta
                .modified()
                .ok()
                .and_then(|t| t.elapsed().ok())
                .unwrap_or_default();
            let known = entries.entry(entry).or_insert((age, 0, Vec::new()));
            known.0 = known.0.min(age);
            known.1 += meta.len();
            known.2.push(path);
        }
        let mut entries: Vec<_> = entries.into_values().collect();
        entries.sort_by_key(|(age, ..)| *age);
        let mut bytes = 0;
        for (age, size, paths) in entries {
            bytes += size;
            if age > IN_USE && (age > max_age || bytes > max_bytes) {
                for path in paths {
                    let _ = fs::remove_file(path);
                }
            }
        }
    }

    fn files(&self) -> io::Result<Vec<(PathBuf, fs::Metadata)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            if let Ok(meta) = entry.metadata()
                && meta.is_file()
            {
                files.push((entry.path(), meta));
            }
        }
        Ok(files)
    }
}

fn listing_name(content: ContentHash, harness: Harness) -> String {
    // a program is a command to who does not ask it for tests
    let asked = match harness {
        Harness::Custom => "-asked",
        Harness::Sdk | Harness::Libtest | Harness::Doctest | Harness::Command => "",
    };
    // another wasmtest may know more of a file
    let version = env!("CARGO_PKG_VERSION").replace('.', "_");
    format!("{content}-{version}-{LISTING}{asked}.tests")
}

fn known_name(file: &fs::Metadata) -> String {
    format!("{:x}-{:x}.known", file.dev(), file.ino())
}

fn kind_name(content: ContentHash) -> String {
    let version = env!("CARGO_PKG_VERSION").replace('.', "_");
    format!("{content}-{version}.kind")
}

fn facts_name(content: ContentHash) -> String {
    let version = env!("CARGO_PKG_VERSION").replace('.', "_");
    format!("{content}-{version}-{FACTS}.facts")
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

    fn cache() -> (tempfile::TempDir, Cache) {
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
    fn a_file_is_known_until_it_changes_and_never_while_that_could_be_missed() {
        let (root, cache) = cache();
        let path = root.path().join("program.wasm");
        let hash = ContentHash::of(b"a program");
        let write = |age: u64| {
            let mut file = File::create(&path).expect("made");
            file.write_all(b"a program").expect("written");
            file.set_modified(SystemTime::now() - Duration::from_secs(age))
                .expect("ours");
            file.metadata().expect("there")
        };
        let now = write(100);
        // its time of change, which nobody can set, is this moment
        cache.store_content(&now, hash).expect("left out");
        assert_eq!(cache.known_content(&now), None);
        let known = Known {
            content: hash,
            stamp: Stamp::of(&now),
            read: super::now() + RACY,
        };
        let known = serde_json::to_vec(&known).expect("it can be written");
        cache
            .write_whole(&known_name(&now), &known)
            .expect("written");
        assert_eq!(cache.known_content(&now), Some(hash));
        assert_eq!(cache.known_content(&write(50)), None);
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

    #[test]
    fn old_entries_go_first_and_those_in_use_stay() {
        let (_root, cache) = cache();
        let age = |name: &str, hours: u64| {
            for suffix in ["", ".json"] {
                let file = OpenOptions::new()
                    .write(true)
                    .open(cache.dir().join(format!("{name}{suffix}")))
                    .expect("there");
                file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600))
                    .expect("ours");
            }
        };
        for (name, hours) in [("new.cwasm", 0), ("day.cwasm", 24), ("week.cwasm", 168)] {
            cache.store_artefact(name, &[0; 1000]).expect("stored");
            age(name, hours);
        }
        cache.prune(u64::MAX, Duration::from_secs(100 * 3600));
        assert!(!cache.dir().join("week.cwasm").exists());
        assert!(cache.dir().join("day.cwasm").exists());
        cache.prune(0, MAX_AGE);
        assert!(!cache.dir().join("day.cwasm").exists());
        assert!(cache.dir().join("new.cwasm").exists());
    }
}
