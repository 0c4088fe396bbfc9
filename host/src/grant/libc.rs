//! How wasi-libc, which most guests have, sees the names of granted folders.

use super::SCRATCH;
use std::path::{Component, Path};

/// A guest's path as wasi-libc compares it: `/`, `./` and a last `/` mean nothing to it.
pub fn as_libc_sees(path: &str) -> String {
    let parts = Path::new(path).components().filter_map(|c| match c {
        Component::Normal(part) => Some(part.to_string_lossy()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Whether a folder of one of these names would hide the guest's own at [`SCRATCH`], or be
/// hidden by it.
pub fn hides_scratch(names: &[String]) -> bool {
    let scratch = as_libc_sees(SCRATCH);
    names.iter().any(|name| as_libc_sees(name) == scratch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wasi_libc_takes_the_root_and_the_current_folder_for_one() {
        for same in ["", ".", "/", "./", "/."] {
            assert_eq!(as_libc_sees(same), "", "{same}");
        }
        assert_eq!(as_libc_sees("/a/./b/"), "a/b");
        assert_eq!(as_libc_sees(".."), "..");
    }

    #[test]
    fn the_guests_own_folder_is_hidden_by_whatever_is_the_same_name_to_it() {
        let hides = |name: &str| hides_scratch(&["other".to_owned(), name.to_owned()]);
        for name in ["/tmp", "tmp", "./tmp/", "/./tmp"] {
            assert!(hides(name), "{name}");
        }
        for name in ["/", ".", "/tmp/x", "../tmp", "/tmpx"] {
            assert!(!hides(name), "{name}");
        }
    }
}
