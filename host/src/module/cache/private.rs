//! Whether a folder is this user's alone, and stays so: who may write to a folder above it can put
//! another in its place.

use super::current_user;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What is wrong with a folder and those above it, if anything is.
///
/// # Errors
/// Those of the file system.
pub(super) fn trouble(dir: &Path) -> io::Result<Option<String>> {
    let user = current_user();
    let meta = fs::symlink_metadata(dir)?;
    if !meta.is_dir() {
        return Ok(Some("it is a link".into()));
    }
    if meta.uid() != user {
        return Ok(Some(format!("it belongs to user {}", meta.uid())));
    }
    if meta.mode() & 0o077 != 0 {
        let mode = meta.mode() & 0o777;
        return Ok(Some(format!("its mode is {mode:o}; chmod 700 it")));
    }
    replaceable(dir, 1)
}

/// The same of a folder that is not there yet, before it is made.
///
/// # Errors
/// Those of the file system.
pub(super) fn trouble_of_new(dir: &Path) -> io::Result<Option<String>> {
    let dir = std::path::absolute(dir)?;
    let there = dir.ancestors().find(|folder| folder.exists());
    match there {
        // what is there already is looked at as such
        Some(folder) if folder != dir => replaceable(folder, 0),
        _ => Ok(None),
    }
}

/// Why others can put something else in the place of a folder above this one, if they can; the
/// first so many folders are not looked at.
fn replaceable(dir: &Path, but: usize) -> io::Result<Option<String>> {
    let user = current_user();
    // by the names that lead there, and where they lead
    let named = std::path::absolute(dir)?;
    let real = dir.canonicalize()?;
    let above = |path: &Path| -> Vec<PathBuf> {
        let folders = path.ancestors().skip(but);
        folders.map(PathBuf::from).collect()
    };
    let mut all = above(&named);
    all.extend(above(&real));
    for folder in all {
        // `..` and links in a name: where they lead is looked at by itself
        let meta = fs::symlink_metadata(&folder)?;
        if meta.is_symlink() {
            if meta.uid() != user && meta.uid() != ROOT {
                return Ok(Some(format!(
                    "the link {} belongs to user {}",
                    folder.display(),
                    meta.uid()
                )));
            }
            continue;
        }
        if let Some(why) = of_others(&meta, user) {
            return Ok(Some(format!("{} above it {why}", folder.display())));
        }
    }
    Ok(None)
}

/// Who may do everything anyway.
const ROOT: u32 = 0;

/// Why others than this user can replace what lies in a folder, if they can.
fn of_others(meta: &Metadata, user: u32) -> Option<String> {
    const STICKY: u32 = 0o1000;
    let (mode, owner) = (meta.mode(), meta.uid());
    if owner != user && owner != ROOT && !is_of_the_system(owner) {
        return Some(format!(
            "belongs to user {owner}, who can put another folder in its place: name another with --cache-dir"
        ));
    }
    // there everybody may remove only what is his own
    if mode & STICKY != 0 {
        return None;
    }
    // many systems give each user a group of the same number, for him alone
    let group = mode & 0o020 != 0 && !(owner == user && meta.gid() == user);
    (mode & 0o002 != 0 || group).then(|| {
        format!(
            "has mode {:o}: others can put another folder in its place; chmod go-w it, or name another with --cache-dir",
            mode & 0o777
        )
    })
}

/// Whether this stands, in a container, for an owner who is none of its users: so the system's own
/// folders look from there.
fn is_of_the_system(owner: u32) -> bool {
    const OVERFLOW: u32 = 65534;
    let is_whole = |map: String| map.split_whitespace().eq(["0", "0", "4294967295"]);
    owner == OVERFLOW && fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| !is_whole(map))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn a_folder_is_as_private_as_those_above_it() {
        let place = tempfile::tempdir().expect("a folder");
        let dir = place.path().join("above/cache");
        fs::create_dir_all(&dir).expect("made");
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
        };
        let above = place.path().join("above");
        set(&dir, 0o700);
        for (mode, says) in [
            (0o755, None),
            (0o777, Some("above it has mode 777")),
            (0o1777, None),
            (0o757, Some("above it has mode 757")),
            (0o700, None),
        ] {
            set(&above, mode);
            let why = trouble(&dir).expect("there");
            assert_eq!(why.is_some(), says.is_some(), "{mode:o}: {why:?}");
            assert!(why.unwrap_or_default().contains(says.unwrap_or_default()));
        }
        // a link leads there from where others may write
        let open = place.path().join("open");
        fs::create_dir(&open).expect("made");
        set(&open, 0o777);
        symlink(&above, open.join("link")).expect("made");
        let why = trouble(&open.join("link/cache")).expect("there");
        assert!(why.expect("writable").contains("mode 777"));
        set(&dir, 0o750);
        assert!(
            trouble(&dir)
                .expect("there")
                .expect("open")
                .contains("chmod 700")
        );
    }
}
