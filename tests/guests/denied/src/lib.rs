//! Tests that try to reach what they may not, most of which fail for that. The folder
//! `sub` is granted for reading, if anything is.

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    #[test]
    fn writes_where_it_may_read() {
        fs::write("sub/snap/a.snap.new", "new").unwrap();
    }

    #[test]
    fn reads_an_absolute_path() {
        fs::read_to_string("/etc/passwd").unwrap();
    }

    #[test]
    fn reads_a_relative_path() {
        fs::read_to_string("tests/data/x.txt").unwrap();
    }

    #[test]
    fn writes_what_is_not_granted() {
        fs::write("out/x.txt", "x").unwrap();
    }

    #[test]
    fn lists_what_is_not_granted() {
        fs::read_dir("tests/data").unwrap();
    }

    #[test]
    fn climbs_out() {
        fs::read_to_string("sub/../secret.txt").unwrap();
    }

    #[test]
    fn follows_a_link_out() {
        fs::read_to_string("sub/link").unwrap();
    }

    #[test]
    fn reads_what_is_not_there() {
        fs::read_to_string("sub/missing.txt").unwrap();
    }

    #[test]
    fn probes_and_passes() {
        for path in ["sub/missing", "/etc/passwd", "../x", "/tmp/x", "sub/../x"] {
            assert!(!Path::new(path).exists(), "{path}");
            assert!(
                fs::write(Path::new(path).join("new"), "x").is_err(),
                "{path}"
            );
        }
        // it is as empty as it is said to be
        assert!(fs::write("/x", "x").is_err());
        assert!(fs::create_dir("/x").is_err());
        assert!(fs::remove_dir("/").is_err());
    }

    #[test]
    fn probes_and_fails() {
        for i in 0..100 {
            assert!(!Path::new(&format!("/tmp/config{i}.toml")).exists());
        }
        let _ = fs::write("sub/out.txt", "x");
        panic!("for another reason");
    }

    #[test]
    fn tries_a_thousand_times() {
        for i in 0..1000 {
            let _ = fs::write(format!("sub/{i}.txt"), "x");
            let _ = fs::write("sub/again.txt", "x");
        }
        panic!("in vain");
    }

    #[test]
    fn tries_everything() {
        fs::create_dir("sub/new").unwrap_err();
        fs::remove_file("sub/x.txt").unwrap_err();
        fs::remove_dir("sub/snap").unwrap_err();
        fs::rename("sub/x.txt", "/tmp/x.txt").unwrap_err();
        fs::rename("/tmp/missing", "sub/y.txt").unwrap_err();
        fs::hard_link("sub/x.txt", "sub/y.txt").unwrap_err();
        // what is opened for writing need not be created
        fs::OpenOptions::new()
            .append(true)
            .open("sub/x.txt")
            .unwrap_err();
        fs::read_link("sub/missing").unwrap_err();
        panic!("of all that nothing was done");
    }

    #[test]
    fn gives_paths_that_no_terminal_should_see() {
        let _ = fs::read("sub/\x1b[31mred\n\u{202e}FAIL");
        let _ = fs::read(format!("sub/{}", "é/".repeat(600)));
        panic!("that is all");
    }

    #[test]
    fn fails_and_touches_nothing() {
        panic!("nothing was tried");
    }
}

/// Where the SDK calls tests one by one in an instance that stays.
#[cfg(test)]
#[wasmtest::suite]
mod unit {
    use std::fs;

    #[wasmtest::setup]
    fn begin() {
        let _ = fs::read("sub/of_the_setup.txt");
    }

    #[wasmtest::test]
    fn first_fails() {
        fs::write("sub/first.txt", "x").unwrap();
    }

    #[wasmtest::test]
    fn second_passes() {
        let _ = fs::write("sub/second.txt", "x");
    }

    #[wasmtest::test]
    fn third_fails() -> Result<(), std::io::Error> {
        fs::write("sub/third.txt", "x")
    }
}

#[cfg(test)]
#[wasmtest::suite]
mod without_data {
    #[wasmtest::setup]
    fn load() {
        std::fs::read("tests/data/all.json").unwrap();
    }

    #[wasmtest::test]
    fn is_not_run() {}
}

/// Looks for a file that need not be; that leaves nothing of the host's behind.
#[cfg(test)]
#[wasmtest::suite(split)]
mod probed {
    use std::path::Path;

    #[wasmtest::setup]
    fn begin() {
        assert!(!Path::new("/etc/wasmtest.conf").exists());
    }

    #[wasmtest::test]
    fn one() {}

    #[wasmtest::test]
    fn two() {}

    #[wasmtest::test]
    fn three() {}
}
