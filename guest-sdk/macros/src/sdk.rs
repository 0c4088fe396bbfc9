//! Where the SDK is: the name by which the crate that is being compiled knows it.
//!
//! Its manifest says so. Where nothing says anything else that name is `wasmtest`, which
//! is that of the SDK's library.

use proc_macro_crate::FoundCrate;
use proc_macro2::{Ident, Span};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;
use syn::{Path, parse_quote};

/// The SDK's package.
const PACKAGE: &str = "wasmtest-sdk";
/// The SDK's library.
const LIBRARY: &str = "wasmtest";

/// The path of the SDK: what was said, or what the manifest says.
pub fn path(said: Option<Path>) -> Path {
    said.unwrap_or_else(|| {
        let name = Ident::new(&name(), Span::call_site());
        parse_quote!(::#name)
    })
}

fn name() -> String {
    if is_plain() {
        return LIBRARY.to_owned();
    }
    match proc_macro_crate::crate_name(PACKAGE) {
        // a key that renames nothing is the package's name, and the library has its own
        Ok(FoundCrate::Name(name)) if name != PACKAGE.replace('-', "_") => name,
        // tests, examples and documentation of the SDK's own see it from outside
        Ok(FoundCrate::Name(_) | FoundCrate::Itself) => LIBRARY.to_owned(),
        // without a manifest, or through another crate, which says `crate = path`
        Err(_) => LIBRARY.to_owned(),
    }
}

/// Whether the manifest alone says that the SDK has its own name: to look further starts
/// cargo, for each crate that is compiled. Hot path: asked for each attribute.
fn is_plain() -> bool {
    type Known = (PathBuf, SystemTime, bool);
    // an editor's server outlives a change of the manifest
    static KNOWN: Mutex<Option<Known>> = Mutex::new(None);
    let Some(folder) = std::env::var_os("CARGO_MANIFEST_DIR") else {
        return true;
    };
    let manifest = PathBuf::from(folder).join("Cargo.toml");
    let Ok(changed) = manifest.metadata().and_then(|m| m.modified()) else {
        return true;
    };
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((path, at, plain)) = &*known
        && (path, at) == (&manifest, &changed)
    {
        return *plain;
    }
    let text = std::fs::read_to_string(&manifest).unwrap_or_default();
    let plain = keeps_the_name(&text);
    *known = Some((manifest, changed, plain));
    plain
}

/// Whether a manifest names the SDK as a key, and nowhere as a value that such a key
/// could rename. What is not certain is looked at by somebody who knows TOML.
fn keeps_the_name(manifest: &str) -> bool {
    let quoted = ['"', '\''].iter().any(|quote| {
        let name = format!("{quote}{PACKAGE}{quote}");
        manifest.contains(&name)
    });
    let is_key = |line: &str| {
        let line = line.trim();
        let after = line
            .strip_prefix(PACKAGE)
            .or_else(|| line.split_once("dependencies.")?.1.strip_prefix(PACKAGE));
        after.is_some_and(|rest| rest.starts_with(['.', '=', ' ', ']']))
    };
    !quoted && manifest.lines().any(is_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_that_may_rename_the_sdk_is_looked_at_closely() {
        for plain in [
            "[dev-dependencies]\nwasmtest-sdk = \"0.1\"\n",
            "[dependencies]\nwasmtest-sdk = { path = \"..\", optional = true }\n[features]\nt = [\"dep:wasmtest-sdk\"]",
            "[dev-dependencies]\n  wasmtest-sdk.workspace = true",
            "[dev-dependencies.wasmtest-sdk]\nversion = \"1\"",
            "[target.'cfg(unix)'.dependencies.wasmtest-sdk]\nversion = \"1\"",
        ] {
            assert!(keeps_the_name(plain), "{plain}");
        }
        for unclear in [
            "[dependencies]\nsdk = { package = \"wasmtest-sdk\", path = \"..\" }",
            "[dependencies]\nsdk = { package = 'wasmtest-sdk' }\nwasmtest-sdk = \"1\"",
            "[dependencies]\n\"wasmtest-sdk\" = \"1\"",
            "# wasmtest-sdk, by the workspace\n[dependencies]\nsdk.workspace = true",
            "[dependencies]\nwasmtest-sdk-macros = \"1\"",
            "",
        ] {
            assert!(!keeps_the_name(unclear), "{unclear}");
        }
    }
}
