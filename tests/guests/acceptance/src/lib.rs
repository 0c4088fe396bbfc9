//! What the acceptance cases run. Whatever happens here is noted in the file that the
//! variable `LOG` names; files beside it are signs that tests and their runner give each
//! other, so that what has to be in flight at one moment is, however slow the machine.
#![forbid(unsafe_code)]

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

#[cfg(test)]
mod contexts;
#[cfg(test)]
mod marks;
#[cfg(test)]
mod nested;
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod told;

/// Adds a line to the log.
pub fn note(line: &str) {
    add("log", line);
}

/// Adds a line to a file beside the log.
pub fn add(file: &str, line: &str) {
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(beside_the_log(file))
        .expect("the folder is granted");
    // one write, so that lines of several instances do not mix
    file.write_all(format!("{line}\n").as_bytes())
        .expect("it can be written");
}

/// What a file beside the log holds.
pub fn read(file: &str) -> String {
    std::fs::read_to_string(beside_the_log(file)).unwrap_or_default()
}

/// Gives a sign.
pub fn give(sign: &str) {
    add(sign, "here");
}

/// Waits until somebody has given a sign.
pub fn wait_for(sign: &str) {
    while !beside_the_log(sign).exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn beside_the_log(file: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("LOG").expect("LOG is granted")).with_file_name(file)
}

/// What is left of a unit after a test, or a teardown, that left its instance in the
/// middle of something.
#[cfg(test)]
mod rebuilt {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    static TESTS: AtomicU32 = AtomicU32::new(0);

    #[wasmtest::suite]
    mod unit {
        use super::*;

        #[wasmtest::setup]
        fn begin() {}

        #[wasmtest::test]
        fn a_panics() {
            TESTS.fetch_add(1, SeqCst);
            panic!("on purpose");
        }

        #[wasmtest::test]
        fn b_is_in_a_new_instance() {
            assert_eq!(TESTS.fetch_add(1, SeqCst), 0);
        }

        #[wasmtest::test]
        fn c_is_in_the_same_and_skips() {
            assert_eq!(TESTS.fetch_add(1, SeqCst), 1);
            wasmtest::skip!("enough");
        }

        #[wasmtest::suite]
        mod inner {
            use super::*;

            #[wasmtest::teardown]
            fn never_ends() {
                while std::hint::black_box(true) {}
            }

            #[wasmtest::test]
            fn d_is_in_a_third() {
                assert_eq!(TESTS.fetch_add(1, SeqCst), 0);
            }
        }

        #[wasmtest::test]
        fn e_is_in_a_fourth() {
            assert_eq!(TESTS.fetch_add(1, SeqCst), 0);
        }
    }
}

/// A setup that wants to be run for each test, though it could be replayed.
#[cfg(test)]
#[wasmtest::suite(split)]
mod fresh {
    use std::time::SystemTime;

    #[wasmtest::setup(fresh)]
    fn now() -> SystemTime {
        SystemTime::now()
    }

    #[wasmtest::test]
    fn first(now: &SystemTime) {
        assert!(now.elapsed().is_ok());
    }

    #[wasmtest::test]
    fn second(now: &SystemTime) {
        assert!(now.elapsed().is_ok());
    }
}
