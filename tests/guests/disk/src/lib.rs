//! Tests that write much, oddly or for ever.

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread::sleep;
    use std::time::Duration;

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
}
