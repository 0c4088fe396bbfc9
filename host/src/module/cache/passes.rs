//! What the passes over a module told, kept beside what was compiled.
//!
//! Each kind has a version. What another version wrote is as good as not there: it is made
//! again, with the compiled form that it belongs to.

use super::Cache;
use crate::instrument::{PassFacts, RewriteFacts};
use crate::protocol::ContentHash;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;

/// To be raised with any change in how modules are rewritten, or in what is kept of that.
const REWRITING: u32 = 2;
/// To be raised with any change in what is kept beside each compiled form.
const PASSES: u32 = 2;

/// No more is read of what is kept of a module, in bytes: a debug binary of 100 MB has some MiB.
pub(super) const MAX_FACTS: u64 = 128 << 20;

impl Cache {
    /// What is known of a module's rewriting, or why it cannot be rewritten; `None` if
    /// that was not tried.
    pub fn rewrite_facts(&self, content: ContentHash) -> Option<Result<RewriteFacts, String>> {
        self.read_facts(&rewriting_name(content))
    }

    /// Keeps what is known of a module's rewriting.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn store_rewrite_facts(
        &self,
        content: ContentHash,
        facts: &Result<RewriteFacts, String>,
    ) -> io::Result<()> {
        self.write_facts(&rewriting_name(content), facts)
    }

    /// What the passes told of what was compiled under this name.
    pub fn pass_facts(&self, artefact: &str) -> Option<PassFacts> {
        let (version, facts): (u32, PassFacts) = self.read_facts(&passes_name(artefact))?;
        (version == PASSES).then_some(facts)
    }

    /// Keeps what the passes told of what is compiled under this name.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn store_pass_facts(&self, artefact: &str, facts: &PassFacts) -> io::Result<()> {
        self.write_facts(&passes_name(artefact), &(PASSES, facts))
    }

    fn read_facts<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let bytes = self.read_sealed(name, MAX_FACTS)?;
        ciborium::from_reader(bytes.as_slice()).ok()
    }

    fn write_facts(&self, name: &str, facts: &impl Serialize) -> io::Result<()> {
        let mut bytes = Vec::new();
        ciborium::into_writer(facts, &mut bytes).map_err(io::Error::other)?;
        self.write_sealed(name, &bytes)
    }
}

/// Beside the compiled form, and gone with it.
fn passes_name(artefact: &str) -> String {
    format!("{artefact}.passes")
}

fn rewriting_name(content: ContentHash) -> String {
    let version = env!("CARGO_PKG_VERSION").replace('.', "_");
    format!("{content}-{version}-{REWRITING}.facts")
}

#[cfg(test)]
mod tests {
    use super::super::tests::cache;
    use super::*;
    use crate::instrument::OffsetMap;
    use crate::instrument::direct::Prepared;
    use crate::instrument::gaps::Gaps;

    #[test]
    fn what_another_version_kept_is_as_good_as_not_there() {
        let (_root, cache) = cache();
        let facts = PassFacts {
            offsets: OffsetMap::default(),
            gaps: Gaps::left("nobody wanted it"),
            direct: Prepared::Unwanted,
        };
        cache.store_pass_facts("a.cwasm", &facts).expect("stored");
        assert_eq!(cache.pass_facts("a.cwasm"), Some(facts.clone()));
        for other in [PASSES + 1, PASSES - 1] {
            let written = cache.write_facts(&passes_name("a.cwasm"), &(other, &facts));
            written.expect("stored");
            assert_eq!(cache.pass_facts("a.cwasm"), None);
        }
        // as it was kept before it had a version
        let written = cache.write_facts(&passes_name("a.cwasm"), &facts.gaps);
        written.expect("stored");
        assert_eq!(cache.pass_facts("a.cwasm"), None);
    }
}
