//! What a test tried to reach of files and could not: plain types, kept within bounds, and
//! in words.
//!
//! The sandbox makes them, a worker sends them with a test that did not pass, reporters
//! show them. Paths are the guest's own: whoever shows them escapes them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How many refused attempts of a test are told.
pub const MOST: usize = 8;
/// How many of those at what is not there: programs look for files that need not be.
const FEW: usize = 3;

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessKind {
    /// To read a file or a folder.
    Read,
    /// To write to a file, which may have had to be created, or to change its times.
    Write,
    /// To create a folder.
    Create,
    /// To remove a file or a folder.
    Remove,
    /// To rename something, or give something this name.
    Rename,
    /// To make a link.
    Link,
    /// To learn whether it is there, what it is, or where it leads.
    LookAt,
}

impl AccessKind {
    /// Whether it needs leave to write.
    pub fn changes(self) -> bool {
        !matches!(self, AccessKind::Read | AccessKind::LookAt)
    }
}

/// Why it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DenialReason {
    /// What is granted there may only be read.
    ReadOnly,
    /// It does not exist.
    NotThere,
    /// `..` or a link in it leads outside of the folder that is granted.
    LeadsOut,
    /// It is granted, and the operating system refuses it to this user.
    OfTheSystem,
    /// No folder is granted there.
    NotGranted,
    /// A folder holds a name that is not UTF-8, and WASI then tells none of them.
    NotUnicode,
}

/// An attempt that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessDenial {
    pub tried: AccessKind,
    /// The path as the guest names it, as far as that is known: `…/` is for a folder
    /// that it had opened, ` …` for the rest of a path that is too long.
    pub path: String,
    /// The other path that the guest may have meant, which its libc does not tell apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub or: Option<String>,
    /// Why it was refused.
    pub why: DenialReason,
    /// The flags of which each would have allowed it, for one of the paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// The folder of the host from which a relative path leads, where that may help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative_to: Option<String>,
    /// Another name for what is meant, under which it can be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
    /// The name in a folder that is to blame, bytes that are no text as numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
}

impl fmt::Display for AccessDenial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tried = match self.tried {
            AccessKind::Read => "read",
            AccessKind::Write => "write",
            AccessKind::Create => "create",
            AccessKind::Remove => "remove",
            AccessKind::Rename => "rename",
            AccessKind::Link => "make a link at",
            AccessKind::LookAt => "look at",
        };
        write!(f, "tried to {tried} {}", self.path)?;
        if let Some(or) = &self.or {
            write!(f, " (or {or})")?;
        }
        f.write_str(match self.why {
            DenialReason::ReadOnly => ": read-only",
            DenialReason::NotThere => ": not there",
            DenialReason::LeadsOut => match self.instead {
                Some(_) => ": leads out of the folder that it begins in",
                None => ": leads outside of what is granted",
            },
            DenialReason::OfTheSystem => ": the operating system refuses it to this user",
            DenialReason::NotGranted => ": nothing is granted there",
            DenialReason::NotUnicode => {
                ": WASI tells no name of a folder in which one is not UTF-8"
            }
        })?;
        if let Some(entry) = &self.entry {
            write!(f, ", as {entry} is")?;
        }
        if !self.allow.is_empty() {
            write!(f, "; {} allows it", self.allow.join(" or "))?;
        }
        if let Some(instead) = &self.instead {
            write!(f, "; {instead} can be reached")?;
        }
        if let Some(folder) = &self.relative_to {
            write!(f, "; relative paths lead to {folder}")?;
        }
        Ok(())
    }
}

/// The last attempts of a test that were refused, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denials {
    refused: Vec<AccessDenial>,
    not_there: Vec<AccessDenial>,
    /// How many were refused before those that are told.
    pub left_out: u64,
}

impl Denials {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.refused.is_empty() && self.not_there.is_empty()
    }

    /// Whether they are as few as [`Denials::add`] keeps, and no text of theirs longer than this,
    /// in bytes: those that were added elsewhere need not be.
    pub fn is_bounded(&self, longest: usize) -> bool {
        let short = |denied: &AccessDenial| {
            let AccessDenial {
                tried: _,
                path,
                or,
                why: _,
                allow,
                relative_to,
                instead,
                entry,
            } = denied;
            let more = [or, relative_to, instead, entry].into_iter().flatten();
            let mut all = more.chain([path]).chain(allow);
            allow.len() <= MOST && all.all(|text| text.len() <= longest)
        };
        self.refused.len() <= MOST
            && self.not_there.len() <= FEW
            && self.refused.iter().chain(&self.not_there).all(short)
    }

    /// Adds one, as the last.
    pub fn add(&mut self, denied: AccessDenial) {
        let (list, most) = match denied.why {
            DenialReason::NotThere => (&mut self.not_there, FEW),
            _ => (&mut self.refused, MOST),
        };
        match list.iter().position(|d| *d == denied) {
            Some(at) => {
                list.remove(at);
            }
            None if list.len() == most => {
                list.remove(0);
                self.left_out += u64::from(denied.why != DenialReason::NotThere);
            }
            None => {}
        }
        list.push(denied);
    }

    /// Adds those of a later call.
    pub fn append(&mut self, later: Denials) {
        for denied in later.refused.into_iter().chain(later.not_there) {
            self.add(denied);
        }
        self.left_out = self.left_out.saturating_add(later.left_out);
    }

    /// Those that are told, real refusals first.
    pub fn told(&self) -> impl Iterator<Item = &AccessDenial> {
        let few = FEW.min(MOST.saturating_sub(self.refused.len()));
        let not_there = self.not_there.len().saturating_sub(few);
        self.refused.iter().chain(&self.not_there[not_there..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(path: &str, why: DenialReason) -> AccessDenial {
        AccessDenial {
            tried: AccessKind::Write,
            path: path.to_owned(),
            or: None,
            why,
            allow: Vec::new(),
            relative_to: None,
            instead: None,
            entry: None,
        }
    }

    #[test]
    fn the_words_name_what_was_tried_where_and_what_would_allow_it() {
        let mut write = denied("tests/snap/a.snap.new", DenialReason::ReadOnly);
        write.allow = vec!["--rw tests/snap".to_owned()];
        assert_eq!(
            write.to_string(),
            "tried to write tests/snap/a.snap.new: read-only; --rw tests/snap allows it"
        );
        let read = AccessDenial {
            tried: AccessKind::Read,
            or: Some("/etc/passwd".to_owned()),
            relative_to: Some("/home/me".to_owned()),
            ..denied("etc/passwd", DenialReason::NotThere)
        };
        assert_eq!(
            read.to_string(),
            "tried to read etc/passwd (or /etc/passwd): not there; relative paths lead to /home/me"
        );
        let list = AccessDenial {
            tried: AccessKind::Read,
            entry: Some("caf\\xe9".to_owned()),
            ..denied("tests/data", DenialReason::NotUnicode)
        };
        assert_eq!(
            list.to_string(),
            "tried to read tests/data: WASI tells no name of a folder in which one is not UTF-8, as caf\\xe9 is"
        );
        let either = AccessDenial {
            allow: vec!["--dir etc:rw".to_owned(), "--dir /etc:rw".to_owned()],
            ..denied("etc/x", DenialReason::NotGranted)
        };
        assert_eq!(
            either.to_string(),
            "tried to write etc/x: nothing is granted there; --dir etc:rw or --dir /etc:rw allows it"
        );
    }

    #[test]
    fn the_last_ones_are_kept_and_each_once() {
        let mut all = Denials::default();
        for i in 0..1000 {
            all.add(denied(&format!("probe {i}"), DenialReason::NotThere));
            all.add(denied(&format!("file {i}"), DenialReason::ReadOnly));
        }
        all.add(denied("file 995", DenialReason::ReadOnly));
        let told: Vec<&str> = all.told().map(|d| d.path.as_str()).collect();
        let expected = [992, 993, 994, 996, 997, 998, 999, 995].map(|i| format!("file {i}"));
        assert_eq!(told, expected);
        assert_eq!(all.left_out, 992);
    }

    #[test]
    fn what_is_not_there_comes_after_what_was_refused() {
        let mut all = Denials::default();
        for i in 0..5 {
            all.add(denied(&format!("probe {i}"), DenialReason::NotThere));
        }
        let mut later = Denials::default();
        later.add(denied("file", DenialReason::LeadsOut));
        all.append(later);
        let told: Vec<&str> = all.told().map(|d| d.path.as_str()).collect();
        assert_eq!(told, ["file", "probe 2", "probe 3", "probe 4"]);
        assert_eq!(all.left_out, 0);
    }
}
