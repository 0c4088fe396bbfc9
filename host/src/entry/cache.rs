//! `wasmtest cache`: where it is and what it holds.

use crate::cli::{CacheAction, CacheArgs};
use crate::module::cache::{self, Cache, Usage};
use crate::report::output::Output;
use crate::{exit, settings};
use anyhow::Context as _;
use std::io;

/// Shows or clears it; gives the exit code.
///
/// # Errors
/// If there is none, or it cannot be read or emptied.
pub(super) fn show(args: &CacheArgs) -> anyhow::Result<u8> {
    let root = settings::cache_root(args.cache_dir.as_deref())?.dir;
    let amount = |usage: Usage| {
        let modules = if usage.artefacts == 1 {
            "module"
        } else {
            "modules"
        };
        let mib = usage.bytes as f64 / f64::from(1 << 20);
        let made = usage.made_by.iter().filter(|(_, made)| *made > 0);
        let made = made.map(|(compiler, made)| format!("{made} by {}", compiler.name()));
        let made: Vec<String> = made.collect();
        let by = match made.is_empty() {
            true => String::new(),
            false => format!(" ({})", made.join(", ")),
        };
        format!("{} compiled {modules}{by}, {mib:.1} MiB", usage.artefacts)
    };
    let text = match (args.action.unwrap_or(CacheAction::Show), root.exists()) {
        // looking makes nothing
        (_, false) => format!("{}\nnothing is kept there yet\n", root.display()),
        (CacheAction::Show, true) => {
            let cache = Cache::open(&root)?;
            let days = cache::MAX_AGE.as_secs() / 86_400;
            format!(
                "{}\n{}\nbounded to {} GiB and {days} days without use\n",
                cache.dir().display(),
                amount(cache.usage()?),
                cache::MAX_BYTES >> 30,
            )
        }
        (CacheAction::Clear, true) => format!("removed {}\n", amount(Cache::open(&root)?.clear()?)),
    };
    let mut out = Output::new(io::stdout());
    out.write(text.as_bytes());
    out.result().context("it cannot be written")?;
    Ok(exit::OK)
}
