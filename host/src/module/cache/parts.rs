//! What a compiler makes, on its way into the cache.
//!
//! A compiler writes into a folder that was made for it ([`NewParts`]), under names that say
//! which part of one module each file is ([`Parts`]). Whoever asked for it looks at what lies
//! there once the compiler is gone, and gives it the names by which it is found: those that
//! follow from the hash that was asked for. So whatever a compiler writes is never more than
//! its own module's. Checksum and record are made here, of the file as it was taken over.

use super::passes::MAX_FACTS;
use super::stamp::Stamp;
use super::{ArtefactPart, Cache, NEW, current_user};
use crate::instrument::{PassFacts, RewriteFacts};
use crate::protocol::{ArtefactForm, ContentHash, Form};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// No compiled form is larger, in bytes.
pub const LARGEST_ARTEFACT: u64 = 1 << 30;

const REWRITING: &str = "rewriting";
const STATE: &str = "state";

/// The folder, as a compiler knows it.
pub struct Parts {
    dir: PathBuf,
}

/// The folder, as whoever made it knows it; gone with this.
#[derive(Debug)]
pub struct NewParts {
    dir: tempfile::TempDir,
    /// Held for as long as it is wanted.
    _lock: File,
}

impl NewParts {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

impl Parts {
    /// In this folder.
    pub fn at(dir: PathBuf) -> Parts {
        Parts { dir }
    }

    /// Writes a compiled form.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write_artefact(&self, part: ArtefactPart, bytes: &[u8]) -> io::Result<()> {
        self.write(artefact(part), bytes)
    }

    /// Writes what the passes told of a compiled form.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write_pass_facts(&self, part: ArtefactPart, facts: &PassFacts) -> io::Result<()> {
        self.write_facts(pass_facts(part), facts)
    }

    /// Writes what is known of a module's rewriting, or why it cannot be rewritten.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write_rewrite_facts(&self, facts: &Result<RewriteFacts, String>) -> io::Result<()> {
        self.write_facts(REWRITING, facts)
    }

    /// Writes the compiled form of a state.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write_state(&self, bytes: &[u8]) -> io::Result<()> {
        self.write(STATE, bytes)
    }

    fn write_facts(&self, name: &str, facts: &impl Serialize) -> io::Result<()> {
        let mut bytes = Vec::new();
        ciborium::into_writer(facts, &mut bytes).map_err(io::Error::other)?;
        self.write(name, &bytes)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(self.dir.join(name))?;
        file.write_all(bytes)
    }
}

fn artefact(part: ArtefactPart) -> &'static str {
    match part {
        ArtefactPart::Plain => "plain",
        ArtefactPart::Rewritten => "rewritten",
        ArtefactPart::InitialMemory => "initial-memory",
    }
}

fn pass_facts(part: ArtefactPart) -> &'static str {
    match part {
        ArtefactPart::Plain => "plain.passes",
        ArtefactPart::Rewritten => "rewritten.passes",
        ArtefactPart::InitialMemory => "initial-memory.passes",
    }
}

impl Cache {
    /// Makes a folder for what a compiler is to make.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn new_parts(&self) -> io::Result<NewParts> {
        let dir = tempfile::Builder::new()
            .prefix(NEW)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(&self.dir)?;
        let lock = File::open(dir.path())?;
        // where there are no locks nobody sweeps either
        let _ = lock.try_lock();
        Ok(NewParts { dir, _lock: lock })
    }

    /// Takes over what was made of a module of this content.
    ///
    /// # Errors
    /// If something is missing, is not as a compiler leaves it, or cannot be kept.
    pub fn admit_module(
        &self,
        parts: &NewParts,
        content: ContentHash,
        form: Form,
    ) -> io::Result<()> {
        let name = |part| Cache::artefact_name(content, form, part);
        let admit = |part| -> io::Result<()> {
            let facts = parts.facts::<PassFacts>(pass_facts(part))?;
            self.store_pass_facts(&name(part), &facts)?;
            self.admit(parts, artefact(part), &name(part))
        };
        if form.passes.form == ArtefactForm::Plain {
            return admit(ArtefactPart::Plain);
        }
        let facts: Result<RewriteFacts, String> = parts.facts(REWRITING)?;
        match facts {
            Ok(_) => {
                admit(ArtefactPart::Rewritten)?;
                let part = ArtefactPart::InitialMemory;
                self.admit(parts, artefact(part), &name(part))?;
            }
            Err(_) => admit(ArtefactPart::Plain)?,
        }
        self.store_rewrite_facts(content, &facts)
    }

    /// Takes over what was made of a state, under this name.
    ///
    /// # Errors
    /// As those of [`Cache::admit_module`].
    pub fn admit_state(&self, parts: &NewParts, name: &str) -> io::Result<()> {
        self.admit(parts, STATE, name)
    }

    fn admit(&self, parts: &NewParts, part: &str, name: &str) -> io::Result<()> {
        let mut file = parts.open(part, LARGEST_ARTEFACT)?;
        self.put(&parts.path().join(part), name)?;
        // whatever changes it from now on changes its times, too
        let stamp = Stamp::of(&file.metadata()?);
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(&mut file)?;
        self.write_record(name, hasher.finalize().to_hex().as_str(), stamp)
    }
}

impl NewParts {
    /// Opens a file that a compiler wrote: no link, this user's alone, of such a length.
    fn open(&self, name: &str, longest: u64) -> io::Result<File> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC)
            .open(self.path().join(name))?;
        let meta = file.metadata()?;
        let is_ours = meta.is_file() && meta.uid() == current_user() && meta.nlink() == 1;
        if !is_ours || meta.mode() & 0o077 != 0 {
            return Err(io::Error::other(format!(
                "its part `{name}` is no file of this user's alone"
            )));
        }
        if meta.len() > longest {
            return Err(io::Error::other(format!(
                "its part `{name}` has {} bytes, and {longest} can be kept at most",
                meta.len()
            )));
        }
        Ok(file)
    }

    fn facts<T: DeserializeOwned>(&self, name: &str) -> io::Result<T> {
        let mut bytes = Vec::new();
        let file = self.open(name, MAX_FACTS)?;
        file.take(MAX_FACTS).read_to_end(&mut bytes)?;
        ciborium::from_reader(bytes.as_slice()).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::cache;
    use super::*;
    use crate::instrument::OffsetMap;
    use crate::instrument::direct::Prepared;
    use crate::instrument::gaps::Gaps;
    use crate::protocol::StdGaps;

    const CONTENT: ContentHash = ContentHash([7; 32]);

    fn form() -> Form {
        Form::plain(StdGaps::Left)
    }

    /// A folder in which a compiler has written what it should.
    fn made(cache: &Cache) -> NewParts {
        let made = cache.new_parts().expect("made");
        let parts = Parts::at(made.path().to_owned());
        let facts = PassFacts {
            offsets: OffsetMap::default(),
            gaps: Gaps::left("nobody wanted it"),
            direct: Prepared::Unwanted,
        };
        let part = ArtefactPart::Plain;
        parts.write_pass_facts(part, &facts).expect("written");
        parts.write_artefact(part, b"native").expect("written");
        made
    }

    #[test]
    fn what_a_compiler_wrote_is_kept_under_the_hash_that_was_asked_for() {
        let (_root, cache) = cache();
        let made = made(&cache);
        let folder = made.path().to_owned();
        cache.admit_module(&made, CONTENT, form()).expect("whole");
        drop(made);
        assert!(!folder.exists());
        assert!(form().is_there(&cache, CONTENT));
        let name = Cache::artefact_name(CONTENT, form(), ArtefactPart::Plain);
        fs::write(cache.dir().join(name), b"NATIVE").expect("ours");
        assert!(!form().is_there(&cache, CONTENT));
    }

    #[test]
    fn what_is_no_compilers_work_is_not_taken_over() {
        let (root, cache) = cache();
        let elsewhere = root.path().join("elsewhere");
        fs::write(&elsewhere, b"somebody's").expect("written");
        let spoil: [&dyn Fn(&Path); 6] = [
            &|part| fs::remove_file(part).expect("there"),
            &|part| {
                fs::remove_file(part).expect("there");
                std::os::unix::fs::symlink(&elsewhere, part).expect("linked");
            },
            &|part| {
                fs::remove_file(part).expect("there");
                fs::hard_link(&elsewhere, part).expect("linked");
            },
            &|part| {
                fs::remove_file(part).expect("there");
                let made = std::process::Command::new("mkfifo").arg(part).status();
                assert!(made.expect("it starts").success());
            },
            &|part| {
                let file = OpenOptions::new().write(true).open(part).expect("there");
                file.set_len(LARGEST_ARTEFACT + 1).expect("sparse");
            },
            &|part| fs::write(part.with_extension("passes"), b"\xff").expect("ours"),
        ];
        for (at, spoil) in spoil.iter().enumerate() {
            let made = made(&cache);
            spoil(&made.path().join("plain"));
            let admitted = cache.admit_module(&made, CONTENT, form());
            assert!(admitted.is_err(), "{at}");
            assert!(!form().is_there(&cache, CONTENT), "{at}");
        }
        assert_eq!(fs::read(&elsewhere).expect("there"), b"somebody's");
    }
}
