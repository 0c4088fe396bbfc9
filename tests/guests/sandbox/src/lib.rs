//! Tests that look around in their sandbox.

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read, Write};
    use std::sync::atomic::{AtomicUsize, Ordering};

    static TOUCHED: AtomicUsize = AtomicUsize::new(0);

    fn only_visitor() {
        assert_eq!(
            TOUCHED.fetch_add(1, Ordering::SeqCst),
            0,
            "somebody was here before"
        );
    }

    #[test]
    fn memory_is_fresh_1() {
        only_visitor();
    }

    #[test]
    fn memory_is_fresh_2() {
        only_visitor();
    }

    #[test]
    fn sees_no_environment_but_tmpdir() {
        let vars: Vec<_> = std::env::vars().collect();
        assert_eq!(vars, [("TMPDIR".to_string(), "/tmp".to_string())]);
    }

    #[test]
    fn has_no_arguments_but_the_harness_own() {
        let args: Vec<_> = std::env::args().collect();
        let path = "tests::has_no_arguments_but_the_harness_own";
        assert_eq!(args, ["sandbox.wasm", path, "--exact", "--nocapture"]);
    }

    #[test]
    fn stdin_is_empty() {
        let mut text = String::new();
        assert_eq!(std::io::stdin().read_to_string(&mut text).unwrap(), 0);
    }

    fn scratch_is_ours_alone() {
        assert_eq!(
            fs::read_dir("/tmp").unwrap().count(),
            0,
            "/tmp is not empty"
        );
        fs::create_dir_all("/tmp/a/b").unwrap();
        fs::write("/tmp/a/b/c.txt", "left behind").unwrap();
        assert_eq!(fs::read_to_string("/tmp/a/b/c.txt").unwrap(), "left behind");
    }

    #[test]
    fn scratch_is_empty_1() {
        scratch_is_ours_alone();
    }

    #[test]
    fn scratch_is_empty_2() {
        scratch_is_ours_alone();
    }

    #[test]
    fn scratch_is_empty_3() {
        scratch_is_ours_alone();
    }

    #[test]
    fn leaves_a_file_and_fails() {
        fs::write("/tmp/evidence.txt", "look here").unwrap();
        panic!("after writing");
    }

    #[test]
    fn the_host_is_out_of_reach() {
        for path in [
            "/etc/passwd",
            "/",
            ".",
            "Cargo.toml",
            "/tmp/../etc/passwd",
            "/tmp/../../etc/passwd",
        ] {
            assert!(fs::read(path).is_err(), "{path} can be read");
            assert!(
                fs::write(format!("{path}/x"), "x").is_err(),
                "{path}/x can be written"
            );
        }
        assert!(fs::read_dir("/etc").is_err());
        assert!(fs::read_dir("/home").is_err());
    }

    #[test]
    fn links_do_not_lead_out() {
        use std::ffi::{CStr, c_char, c_int};
        unsafe extern "C" {
            fn symlink(to: *const c_char, at: *const c_char) -> c_int;
        }
        let link = |to: &CStr, at: &CStr| unsafe { symlink(to.as_ptr(), at.as_ptr()) };
        link(c"/etc/passwd", c"/tmp/absolute");
        assert_eq!(link(c"../../../../etc/passwd", c"/tmp/relative"), 0);
        assert!(fs::read("/tmp/absolute").is_err());
        assert!(fs::read("/tmp/relative").is_err());
    }

    #[test]
    fn there_are_no_sockets() {
        assert!(std::net::TcpStream::connect("127.0.0.1:80").is_err());
        assert!(std::net::UdpSocket::bind("127.0.0.1:0").is_err());
        assert!(std::net::TcpListener::bind("127.0.0.1:0").is_err());
    }

    #[test]
    fn prints_three_megabytes_and_passes() {
        let line =
            "test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n";
        let mut out = std::io::stdout().lock();
        for _ in 0..40_000 {
            out.write_all(line.as_bytes()).unwrap();
        }
    }

    #[test]
    fn prints_three_megabytes_and_fails() {
        let mut out = std::io::stdout().lock();
        writeln!(out, "the first line").unwrap();
        for i in 0..100_000 {
            writeln!(out, "line {i} of a hundred thousand").unwrap();
        }
        writeln!(out, "the last line").unwrap();
        drop(out);
        panic!("after all that");
    }

    #[test]
    fn writes_control_sequences() {
        println!("\x1b[2J\x1b]0;owned\x07 bell \u{9b}31m and \u{202e}backwards");
        panic!("\x1b[31mred\x1b[0m \r overwritten");
    }

    #[test]
    fn reads_a_granted_folder_under_every_name() {
        let absolute = std::env::var("GRANTED").unwrap();
        for path in ["sub/x.txt", "./sub/x.txt", &format!("{absolute}/x.txt")] {
            assert_eq!(fs::read_to_string(path).unwrap(), "granted", "{path}");
        }
        let names: Vec<_> = fs::read_dir("sub")
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert!(names.contains(&"x.txt".into()));
    }

    #[test]
    fn reads_under_its_absolute_name_only() {
        let absolute = std::env::var("GRANTED").unwrap();
        assert_eq!(
            fs::read_to_string(format!("{absolute}/x.txt")).unwrap(),
            "granted"
        );
        assert!(fs::read_to_string("sub/x.txt").is_err());
    }

    #[test]
    fn reads_the_granted_current_folder_under_every_name() {
        let absolute = std::env::var("GRANTED").unwrap();
        for path in ["sub/x.txt", "./sub/x.txt", &format!("{absolute}/x.txt")] {
            assert_eq!(fs::read_to_string(path).unwrap(), "granted", "{path}");
        }
    }

    #[test]
    fn writes_to_a_granted_folder() {
        fs::write("sub/out.txt", "written by a guest").unwrap();
    }

    #[test]
    fn reads_under_a_guest_name() {
        assert_eq!(fs::read_to_string("/data/x.txt").unwrap(), "granted");
    }

    #[test]
    fn sees_granted_variables() {
        assert_eq!(std::env::var("GIVEN").as_deref(), Ok("a value"));
        assert_eq!(std::env::var("FROM_OUTSIDE").as_deref(), Ok("inherited"));
        assert_eq!(std::env::vars().count(), 3);
    }

    fn depth(n: u32) -> u32 {
        if std::hint::black_box(n) == 0 {
            0
        } else {
            1 + depth(n - 1)
        }
    }

    #[test]
    fn recurses_ten_thousand_deep() {
        assert_eq!(depth(10_000), 10_000);
    }
}
