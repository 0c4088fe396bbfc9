//! Asks std for what WASI does not have; built by `tests/std_gaps.rs`, in many ways.
//!
//! A test that is to fail says so by its name.

#[cfg(test)]
mod tests {
    use std::env;
    use std::hint::black_box;
    use std::path::{Path, PathBuf};
    use std::process;

    #[test]
    fn the_temporary_folder_is_this_tests_own() {
        assert_eq!(env::temp_dir(), Path::new("/tmp"));
        let file = env::temp_dir().join("file");
        std::fs::write(&file, "text").unwrap();
        assert_eq!(std::fs::read_to_string("/tmp/file").unwrap(), "text");
    }

    #[test]
    fn the_temporary_folder_is_what_the_variable_says() {
        let long = format!("/{}", "long/".repeat(300));
        for value in ["/elsewhere", "", long.as_str()] {
            unsafe { env::set_var("TMPDIR", value) };
            assert_eq!(env::temp_dir(), Path::new(value));
            assert_eq!(env::temp_dir().as_os_str().len(), value.len());
        }
        // its bytes are freed and made again
        for number in 0..1000 {
            unsafe { env::set_var("TMPDIR", number.to_string()) };
            let mut folder: PathBuf = env::temp_dir();
            folder.push("below");
            assert_eq!(folder, PathBuf::from(format!("{number}/below")));
        }
    }

    #[test]
    fn fails_without_the_variable() {
        unsafe { env::remove_var("TMPDIR") };
        black_box(env::temp_dir());
    }

    #[test]
    fn the_process_has_a_number() {
        let id = process::id();
        assert_ne!(id, 0);
        assert!(i32::try_from(id).is_ok());
        assert_eq!(id, process::id());
        println!("id {id}");
    }

    #[inline(never)]
    fn checked(number: u32) -> u32 {
        assert_ne!(number, 3, "three");
        number
    }

    #[test]
    fn fails_in_its_own_code() {
        checked(black_box(3));
    }

    /// Called by std, from a function of its own.
    #[test]
    fn fails_below_std() {
        let mut numbers = [2, black_box(3), 1];
        numbers.sort_by_key(|number| checked(*number));
    }

    #[test]
    fn fails_in_std() {
        let nothing: Option<u32> = black_box(None);
        black_box(nothing.expect("there is something"));
    }

    #[test]
    fn fails_deep() {
        fn deeper(depth: u32) -> u32 {
            if depth == 0 {
                return black_box(&[0_u32; 2][..])[black_box(7)];
            }
            black_box(deeper(depth - 1)) + 1
        }
        black_box(deeper(5));
    }
}
