//! The temporary folders of a run, for whoever ends the process before the run is over.

use crate::temporary::{Purpose, TempFolder, remove};
use anyhow::Context as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a run holds on the disk beside its cache.
#[derive(Clone, Debug, Default)]
pub(super) struct Held(Arc<Mutex<Vec<PathBuf>>>);

impl Held {
    /// Makes a folder in `place`.
    ///
    /// # Errors
    /// If there is no room, or nobody may.
    pub(super) fn make(&self, purpose: Purpose, place: &Path) -> anyhow::Result<TempFolder> {
        // held while it is made: either it is not there yet, or it is known
        let mut paths = self.lock();
        let made = TempFolder::new(purpose, place).with_context(|| {
            format!(
                "no temporary folder can be made in {} (TMPDIR names another place)",
                place.display()
            )
        })?;
        paths.push(made.path().to_owned());
        Ok(made)
    }

    /// Ends the process, and leaves nothing behind.
    pub(super) fn exit(&self, code: i32) -> ! {
        // nothing is made any more
        let paths = self.lock();
        for path in &*paths {
            // what cannot be removed now, the next run does
            let _ = remove::folder(path);
        }
        std::process::exit(code);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
