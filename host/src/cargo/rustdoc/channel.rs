//! Between `cargo wasmtest` and the runners that cargo and rustdoc start for its doctests.
//!
//! rustdoc speaks libtest's text, and what a failed doctest printed stands in there. So each
//! runner is given a word that no guest knows, with which it marks every line of a guest's;
//! and a folder, in which it leaves a file for each program that the host ended: to rustdoc
//! that is an end as good as a panic. A lock in that folder is held for as long as
//! there is somebody to run doctests for.
//!
//! What a runner is told stands in a variable, which cargo and rustdoc pass on: of a runner's
//! own command cargo makes words where there is white space.

use crate::grant::DirGrant;
use crate::sandbox::scratch;
use crate::settings::ProcessEnv;
use crate::temporary::{Purpose, TempFolder};
use anyhow::Context as _;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

/// The file whose lock is held.
const ALIVE: &str = "alive";

/// The variable with the flags of the runners, as a list in JSON. No guest sees it, and no guest
/// can write what stands in it.
const FLAGS: &str = "WASMTEST_DOCTEST_RUNNER";

/// This process's end.
pub(super) struct Channel {
    word: String,
    told: PathBuf,
    _alive: File,
    _folder: TempFolder,
}

impl Channel {
    /// A channel that nobody else knows, in a folder that is in none of these where that can
    /// be; else in `temp_dir`.
    ///
    /// # Errors
    /// If no folder can be made.
    pub(super) fn new(granted: &[&DirGrant], temp_dir: &Path) -> anyhow::Result<Channel> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)
            .map_err(|e| anyhow::anyhow!("no random number can be had: {e}"))?;
        let place = scratch::place(granted, temp_dir).0;
        let folder = TempFolder::new(Purpose::Doctests, &place)
            .with_context(|| format!("no temporary folder can be made in {}", place.display()))?;
        let told = folder.empty().context("a temporary folder")?;
        let alive = File::create(told.join(ALIVE))
            .and_then(|file| file.lock().map(|()| file))
            .context("a temporary file cannot be made and locked")?;
        Ok(Channel {
            word: format!("wasmtest-{:032x}", u128::from_ne_bytes(random)),
            told,
            _alive: alive,
            _folder: folder,
        })
    }

    /// What every line of a guest's begins with.
    pub(super) fn word(&self) -> &str {
        &self.word
    }

    /// The flags by which a runner knows of it.
    fn flags(&self) -> anyhow::Result<[String; 3]> {
        let folder = self.told.to_str();
        let folder = folder.context("the temporary folder's path is not Unicode")?;
        Ok([
            "--doctests".to_owned(),
            self.word.clone(),
            folder.to_owned(),
        ])
    }

    /// Has a runner that this command starts find these flags, and those of the channel.
    pub(super) fn hand_over(
        &self,
        mut flags: Vec<String>,
        command: &mut Command,
    ) -> anyhow::Result<()> {
        flags.extend(self.flags()?);
        command.env(FLAGS, serde_json::to_string(&flags)?);
        Ok(())
    }

    /// How many programs the host has ended.
    pub(super) fn stops(&self) -> usize {
        let entries = std::fs::read_dir(&self.told);
        let all = entries.into_iter().flatten().flatten();
        all.filter(|e| e.file_name() != ALIVE).count()
    }
}

/// This process's arguments; a runner's with the flags that were handed over to it.
pub fn arguments(process: &ProcessEnv) -> Vec<OsString> {
    let mut all = process.args().to_vec();
    let flags = process.var(FLAGS);
    let flags = flags.and_then(|text| serde_json::from_str::<Vec<String>>(text).ok());
    if let (Some("cargo-runner"), Some(flags)) = (all.get(1).and_then(|a| a.to_str()), flags) {
        all.splice(2..2, flags.into_iter().map(OsString::from));
    }
    all
}

/// The command of such a runner: two words, whatever this program's path is.
pub(super) fn runner(process: &ProcessEnv) -> anyhow::Result<[String; 2]> {
    let path = process.exe().context("this program cannot find itself")?;
    let exe = path.to_str().map(str::to_owned);
    let mut exe = exe.with_context(|| {
        format!(
            "this program lies at a path that is not Unicode: {}",
            path.display()
        )
    })?;
    if exe.contains(char::is_whitespace) {
        anyhow::ensure!(
            cfg!(target_os = "linux"),
            "this program lies at {exe}, a path with white space, by which cargo can start no runner: move it"
        );
        exe = format!("/proc/{}/exe", std::process::id());
    }
    Ok([exe, "cargo-runner".to_owned()])
}

/// Has this process, a runner, end when there is nobody any more that it runs doctests for.
pub(crate) fn end_with(folder: &Path) {
    let alive = folder.join(ALIVE);
    thread::spawn(move || {
        // SAFETY: changes which signals this thread takes, which is none: what it sends is
        // for the others, which clean up.
        unsafe {
            let mut all = std::mem::MaybeUninit::uninit();
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), std::ptr::null_mut());
        }
        // comes back when the other end is gone
        let _ = File::open(alive).and_then(|file| file.lock_shared());
        // SAFETY: a signal to this process.
        unsafe { libc::kill(libc::getpid(), libc::SIGTERM) };
    });
}
