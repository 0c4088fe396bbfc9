//! `--dir`: which folder a guest may reach, by which names, and what it may do there.

use super::libc::{as_libc_sees, hides_scratch};
use super::{Access, DirGrant, SCRATCH, Tmp};
use crate::cli::{UsageError, usage};
use crate::paths::plain;
use std::path::{Component, Path};

/// `HOST[::GUEST][:ro|:rw]`; a relative HOST begins at `base`.
fn dir_grant(text: &str, base: &Path, tmp: Tmp) -> Result<DirGrant, UsageError> {
    const FORM: &str = "it is not HOST[::GUEST][:ro|:rw]";
    let (rest, access) = match text {
        t if t.ends_with(":rw") => (&t[..t.len() - 3], Access::ReadWrite),
        t if t.ends_with(":ro") => (&t[..t.len() - 3], Access::ReadOnly),
        t => (t, Access::ReadOnly),
    };
    // `DIR::rw` reads naturally and means no guest path
    let rest = match rest.len() < text.len() {
        true => rest.strip_suffix(':').unwrap_or(rest),
        false => rest,
    };
    let (host, guest) = match rest.split_once("::") {
        Some((host, guest)) => (host, Some(guest)),
        None => (rest, None),
    };
    if host.is_empty() || guest.is_some_and(|g| g.is_empty() || g.contains("::")) {
        return usage("--dir", format!("`{text}`: {FORM}"));
    }
    if let Some(guest) = guest
        && Path::new(guest)
            .components()
            .any(|c| c == Component::ParentDir)
    {
        return usage(
            "--dir",
            format!("`{guest}` leads through `..`, which no guest can follow"),
        );
    }
    let canonical = match std::fs::canonicalize(base.join(host)) {
        Ok(path) => path,
        Err(e) => {
            let form = if host.contains(':') {
                format!("; {FORM}")
            } else {
                String::new()
            };
            return usage("--dir", format!("`{host}` cannot be granted: {e}{form}"));
        }
    };
    if !canonical.is_dir() {
        return usage("--dir", format!("`{host}` is no folder"));
    }
    let guest = match guest {
        Some(guest) => vec![guest.to_owned()],
        None => guest_names(host, base, &canonical),
    };
    if tmp == Tmp::Own && hides_scratch(&guest) {
        return usage(
            "--dir",
            format!("`{text}` would hide {SCRATCH}, the guest's own folder; name another GUEST"),
        );
    }
    Ok(DirGrant {
        host: canonical,
        guest,
        access,
    })
}

/// All folders granted; none under another's name, none both read-only and not, and none under
/// that of the guest's own folder, if it has one.
///
/// # Errors
/// For the first that is none of this.
pub fn grants(texts: &[String], base: &Path, tmp: Tmp) -> Result<Vec<DirGrant>, UsageError> {
    let mut grants: Vec<DirGrant> = Vec::new();
    for text in texts {
        let grant = dir_grant(text, base, tmp)?;
        for other in &grants {
            if other.host == grant.host && other.access != grant.access {
                return usage(
                    "--dir",
                    format!(
                        "{} is granted both for reading and for writing",
                        grant.host.display()
                    ),
                );
            }
            let taken = |g: &&String| {
                other
                    .guest
                    .iter()
                    .any(|o| as_libc_sees(o) == as_libc_sees(g))
            };
            if let Some(name) = grant.guest.iter().find(taken)
                && other.host != grant.host
            {
                return usage(
                    "--dir",
                    format!(
                        "`{name}` cannot be both {} and {}",
                        other.host.display(),
                        grant.host.display()
                    ),
                );
            }
        }
        grants.push(grant);
    }
    Ok(grants)
}

/// The names under which a granted folder is found: as it was written, and by
/// its absolute path. wasi-libc takes `x`, `./x` for one, if told of `x`.
fn guest_names(host: &str, base: &Path, canonical: &Path) -> Vec<String> {
    let written = Path::new(host);
    let mut names = Vec::new();
    if written.is_relative() {
        names.push(match plain(written) {
            p if p.as_os_str().is_empty() => ".".to_owned(),
            p => p.display().to_string(),
        });
    } else {
        names.push(host.to_owned());
    }
    // the path as one would build it from that folder, links and all
    names.push(plain(&base.join(written)).display().to_string());
    names.push(canonical.display().to_string());
    let mut unique: Vec<String> = Vec::new();
    for name in names {
        if !unique.contains(&name) {
            unique.push(name);
        }
    }
    unique
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_read_only_unless_it_says_otherwise() {
        let root = tempfile::tempdir().expect("a folder");
        let root = root.path().canonicalize().expect("there");
        let path = root.display().to_string();
        let parse = |suffix: &str| dir_grant(&format!("{path}{suffix}"), &root, Tmp::Own);
        assert_eq!(parse("").expect("valid").access, Access::ReadOnly);
        assert_eq!(parse(":rw").expect("valid").access, Access::ReadWrite);
        assert_eq!(parse("::rw").expect("valid").guest, [path.as_str()]);
        let named = parse("::/data:rw").expect("valid");
        assert_eq!(
            (named.guest.as_slice(), named.access),
            (&["/data".to_owned()][..], Access::ReadWrite)
        );
        assert!(parse("::/tmp").is_err());
        assert!(parse("/missing").is_err());
        assert!(dir_grant("", &root, Tmp::Own).is_err());
        assert!(parse("::/a/../b").is_err());
        assert!(parse("::a::b").is_err());
        assert!(parse("::").is_err());
        assert!(parse("::tmp/").is_err());
        let two = |a: &str, b: &str| {
            grants(
                &[format!("{path}{a}"), format!("{path}{b}")],
                &root,
                Tmp::Own,
            )
        };
        assert!(two("", ":rw").is_err());
        assert!(two("", "::/data").is_ok());
        let other = grants(
            &[format!("{path}::/data"), "/::data".to_owned()],
            &root,
            Tmp::Own,
        );
        assert!(other.is_err());
    }
}
