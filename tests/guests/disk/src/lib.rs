//! Tests that write much, oddly or for ever.

#[cfg(test)]
mod tests {
    use std::fs::{self, File, OpenOptions};
    use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
    use std::thread::sleep;
    use std::time::Duration;

    const MIB: usize = 1 << 20;

    /// Whether there was no room. wasi-libc asks no stream of a component why it failed.
    fn is_full(error: &io::Error) -> bool {
        const IO: i32 = 29;
        let by_stream = cfg!(target_env = "p2") && error.raw_os_error() == Some(IO);
        error.kind() == ErrorKind::StorageFull || by_stream
    }

    #[test]
    fn writes_little() {
        fs::write("/tmp/little", "text").unwrap();
        assert_eq!(fs::read_to_string("/tmp/little").unwrap(), "text");
    }

    #[test]
    fn writes_and_waits() {
        fs::create_dir_all("/tmp/some/where").unwrap();
        fs::write("/tmp/some/where/file", "text").unwrap();
        println!("written");
        sleep(Duration::from_secs(3600));
    }

    /// Writes to a file until that is refused, or there is more than any test of these has room for.
    fn fill(file: &mut File) -> io::Error {
        let chunk = vec![1; MIB];
        for _ in 0..3000 {
            if let Err(e) = file.write_all(&chunk) {
                return e;
            }
        }
        panic!("nothing was refused");
    }

    #[test]
    fn quota_fills_it_and_fails() {
        let error = fill(&mut File::create("/tmp/full").unwrap());
        // the report is none of its files
        println!("{}", "x".repeat(MIB));
        panic!("{error}");
    }

    #[test]
    fn quota_fills_it_and_copes() {
        let mut file = File::create("/tmp/full").unwrap();
        assert!(is_full(&fill(&mut file)));
        drop(file);
        fs::remove_file("/tmp/full").unwrap();
        fs::write("/tmp/next", vec![1; MIB]).unwrap();
    }

    #[test]
    fn quota_removed_files_count_while_they_are_open() {
        let mut file = File::create("/tmp/gone").unwrap();
        fs::remove_file("/tmp/gone").unwrap();
        assert!(is_full(&fill(&mut file)));
        drop(file);
        fs::write("/tmp/next", vec![1; MIB]).unwrap();
    }

    #[test]
    fn quota_single_bytes_far_apart_count_as_blocks() {
        let mut file = File::create("/tmp/scattered").unwrap();
        for n in 0..100_000 {
            file.seek(SeekFrom::Start(n << 16)).unwrap();
            if let Err(e) = file.write_all(b"x") {
                assert!(is_full(&e), "{e}");
                assert!(n > 500, "{n}");
                return;
            }
        }
        panic!("nothing was refused");
    }

    #[test]
    fn overwrites_two_gib_in_place() {
        let mut file = File::create("/tmp/again").unwrap();
        let chunk = vec![1; MIB];
        for _ in 0..2048 {
            file.seek(SeekFrom::Start(0)).unwrap();
            file.write_all(&chunk).unwrap();
        }
        for n in 0..64 {
            let name = format!("/tmp/{n}");
            fs::write(&name, &chunk).unwrap();
            fs::remove_file(&name).unwrap();
        }
    }

    #[test]
    fn holes_are_free() {
        for n in 0..8 {
            let mut file = File::create(format!("/tmp/sparse-{n}")).unwrap();
            file.set_len(4 << 30).unwrap();
            file.seek(SeekFrom::Start(3 << 30)).unwrap();
            file.write_all(b"here").unwrap();
        }
    }

    #[test]
    fn longer_than_any_may_be() {
        let file = File::create("/tmp/long").unwrap();
        file.set_len(1 << 40).unwrap();
    }

    /// Makes entries until that is refused.
    fn entries(make: impl Fn(String) -> io::Result<()>) -> (usize, io::Error) {
        for n in 0..1_000_000 {
            if let Err(e) = make(format!("/tmp/{n}")) {
                return (n, e);
            }
        }
        panic!("nothing was refused");
    }

    #[test]
    fn entries_a_million_empty_ones() {
        let (made, error) = entries(|name| File::create(name).map(|_| ()));
        panic!("{made}: {error}");
    }

    #[test]
    fn entries_are_folders_too() {
        let (made, error) = entries(fs::create_dir);
        panic!("{made}: {error}");
    }

    #[test]
    fn entries_are_second_names_too() {
        fs::write("/tmp/first", "").unwrap();
        let (made, error) = entries(|name| fs::hard_link("/tmp/first", name));
        panic!("{made}: {error}");
    }

    #[test]
    fn entries_made_and_removed_are_none() {
        for _ in 0..5000 {
            File::create("/tmp/one").unwrap();
            fs::remove_file("/tmp/one").unwrap();
        }
    }

    /// With a folder of the host's at `/data`.
    #[test]
    fn granted_folders_are_not_counted() {
        assert!(is_full(&fill(&mut File::create("/tmp/full").unwrap())));
        fs::create_dir_all("/data/in").unwrap();
        fs::write("/data/in/file", vec![1; MIB]).unwrap();
        let append = OpenOptions::new().append(true).open("/data/in/file");
        append.unwrap().write_all(&vec![1; 2 * MIB]).unwrap();
        // what comes from there counts
        fs::remove_file("/tmp/full").unwrap();
        match fs::rename("/data/in/file", "/tmp/moved") {
            // another disk
            Err(e) if e.kind() == ErrorKind::CrossesDevices => {}
            moved => {
                moved.unwrap();
                assert!(fs::write("/tmp/more", vec![1; 2 * MIB]).is_err());
            }
        }
    }
}
