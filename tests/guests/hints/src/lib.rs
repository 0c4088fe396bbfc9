//! A failing test for each hint: `HINTS` of `xtask/src/compat/hints.rs` says which it is.
//! What WASI lacks is in modules that are named as the hints of `host/src/module/hints.rs`.

#![cfg(test)]
#![allow(unconditional_recursion)]

use std::hint::black_box;

#[test]
fn asks_for_a_temp_dir() {
    let _ = std::env::temp_dir();
}

#[test]
fn starts_a_thread() {
    std::thread::spawn(|| ());
}

#[test]
fn catches_a_panic() {
    assert!(std::panic::catch_unwind(|| panic!("caught?")).is_err());
}

#[test]
fn connects() {
    std::net::TcpStream::connect("127.0.0.1:1").unwrap();
}

#[test]
fn starts_a_program() {
    std::process::Command::new("true").status().unwrap();
}

#[test]
fn allocates_what_32_bits_cannot_count() {
    black_box(Vec::<u64>::with_capacity(black_box(usize::MAX)));
}

#[test]
fn calls_itself_for_ever() {
    fn deeper(n: u64) -> u64 {
        deeper(n) + 1
    }
    black_box(deeper(0));
}

#[test]
fn uses_its_stack_up() {
    fn deeper(n: u64) -> u64 {
        let large = black_box([n; 4096]);
        black_box(deeper(n + 1)) + large[7]
    }
    black_box(deeper(0));
}

#[test]
fn exits_with_0() {
    std::process::exit(0);
}

#[test]
fn closes_stdout() {
    use std::os::fd::{FromRawFd, OwnedFd};
    // SAFETY: it is open, and nothing of this test's uses it afterwards.
    drop(unsafe { OwnedFd::from_raw_fd(1) });
}

mod temp_dir {
    #[test]
    fn asked_for() {
        let _ = std::env::temp_dir();
    }
}

mod process_id {
    #[test]
    fn asked_for() {
        let _ = std::process::id();
    }
}

mod thread {
    #[test]
    fn spawned() {
        std::thread::spawn(|| ());
    }

    #[test]
    fn scoped() {
        std::thread::scope(|scope| {
            scope.spawn(|| ());
        });
    }

    #[test]
    fn built() {
        std::thread::Builder::new().spawn(|| ()).unwrap();
    }
}

mod waits_for_a_thread {
    use std::sync::{Barrier, Condvar, Mutex, mpsc};

    #[test]
    fn at_a_condition() {
        let (mutex, condition) = (Mutex::new(()), Condvar::new());
        let _guard = condition.wait(mutex.lock().unwrap());
    }

    #[test]
    fn at_a_barrier() {
        Barrier::new(2).wait();
    }

    /// This one is stopped at its limit.
    #[test]
    fn for_a_message() {
        let (_sender, receiver) = mpsc::channel::<()>();
        receiver.recv().unwrap();
    }
}

/// Newer Rusts answer.
mod number_of_threads {
    #[test]
    fn asked_for() {
        std::thread::available_parallelism().unwrap();
    }
}

mod current_exe {
    #[test]
    fn asked_for() {
        std::env::current_exe().unwrap();
    }

    #[test]
    fn returned() -> std::io::Result<()> {
        std::env::current_exe()?;
        Ok(())
    }
}

mod command {
    use std::process::Command;

    #[test]
    fn started() {
        Command::new("ls").status().unwrap();
    }

    #[test]
    fn spawned() {
        Command::new("ls").spawn().unwrap();
    }
}

mod socket {
    use std::net::{TcpStream, UdpSocket};

    #[test]
    fn connected() {
        TcpStream::connect("127.0.0.1:1").unwrap();
    }

    #[test]
    fn bound() {
        UdpSocket::bind("127.0.0.1:0").unwrap();
    }
}

mod capacity {
    #[test]
    fn of_a_vector() {
        let size = std::hint::black_box(3_usize << 30);
        drop(Vec::<u8>::with_capacity(size));
    }
}

mod unsupported {
    #[test]
    fn cloned() {
        let file = std::env::var("TMPDIR").unwrap() + "/file";
        std::fs::File::create(file).unwrap().try_clone().unwrap();
    }
}

mod catch_unwind {
    #[test]
    fn asked_for() {
        assert!(std::panic::catch_unwind(|| panic!("caught?")).is_err());
    }
}
