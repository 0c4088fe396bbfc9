//! Temporary folders and files: as they are made everywhere, and what works on WASI too.

use std::io;
use std::path::Path;

/// Writes a greeting.
///
/// # Errors
/// If it cannot be written.
pub fn greet(folder: &Path) -> io::Result<()> {
    std::fs::write(folder.join("greeting.txt"), "hello")
}

#[cfg(test)]
mod tests {
    use super::greet;
    use std::io::{Read as _, Seek as _, Write as _};
    use std::path::PathBuf;

    /// `TMPDIR` where there is one, `std::env::temp_dir()` elsewhere.
    fn temporary() -> PathBuf {
        std::env::var_os("TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from)
    }

    #[test]
    fn a_folder_in_tmpdir() {
        let folder = tempfile::tempdir_in(temporary()).expect("it can be made");
        greet(folder.path()).expect("it can be written");
        let path = folder.path().to_owned();
        assert!(path.join("greeting.txt").is_file());
        folder.close().expect("it can be removed");
        assert!(!path.exists());
    }

    #[test]
    fn a_named_file_in_tmpdir() {
        let mut file = tempfile::NamedTempFile::new_in(temporary()).expect("it can be made");
        file.write_all(b"hello").expect("it can be written");
        let text = std::fs::read_to_string(file.path()).expect("it can be read");
        assert_eq!(text, "hello");
        let kept = temporary().join("kept");
        file.persist(&kept).expect("it can be renamed");
        assert!(kept.is_file());
    }

    #[test]
    fn a_file_without_a_name() {
        let mut file = tempfile::tempfile_in(temporary()).expect("it can be made");
        file.write_all(b"hello").expect("it can be written");
        file.rewind().expect("it can be rewound");
        let mut text = String::new();
        file.read_to_string(&mut text).expect("it can be read");
        assert_eq!(text, "hello");
    }

    #[test]
    fn a_spooled_file() {
        let mut file = tempfile::SpooledTempFile::new_in(4, temporary());
        file.write_all(b"more than four bytes")
            .expect("it rolls over");
        assert!(file.is_rolled());
    }

    #[test]
    fn a_folder_once_the_default_is_set() {
        tempfile::env::override_temp_dir(&temporary()).expect("nobody has set it");
        let folder = tempfile::tempdir().expect("it can be made");
        greet(folder.path()).expect("it can be written");
    }

    #[test]
    fn a_folder_where_the_system_wants_it() {
        let folder = tempfile::tempdir().expect("it can be made");
        greet(folder.path()).expect("it can be written");
    }
}
