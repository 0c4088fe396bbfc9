//! Does what its first argument says, with the standard streams that it has.
use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map_or("", String::as_str) {
        "args" => println!("{args:?}"),
        "env" => println!("{:?}", std::env::vars().collect::<Vec<_>>()),
        "copy" => {
            let mut all = Vec::new();
            io::stdin().read_to_end(&mut all).expect("it can be read");
            io::stdout().write_all(&all).expect("it can be written");
        }
        "both" => {
            println!("to stdout");
            eprintln!("to stderr");
        }
        "take" => take(&args[2]),
        "poll" => {
            println!("polls");
            let mut stdin = PollFd {
                fd: 0,
                events: 1,
                revents: 0,
            };
            // SAFETY: one such struct is given and one is told of.
            let ready = unsafe { poll(&mut stdin, 1, 3_600_000) };
            print!("{ready} ");
            take(&args[2]);
        }
        "third" => {
            // SAFETY: it is nobody's.
            let third = ManuallyDrop::new(unsafe { File::from_raw_fd(3) });
            println!(
                "{}",
                if third.metadata().is_ok() {
                    "open"
                } else {
                    "closed"
                }
            );
        }
        // each name of a folder, in order, and by what it is told that there is no more
        "list" => {
            let mut names: Vec<_> = std::fs::read_dir(&args[2])
                .expect("it is there")
                .map(|entry| entry.expect("it can be read").file_name())
                .collect();
            names.sort();
            names
                .iter()
                .for_each(|name| println!("{}", name.to_string_lossy()));
        }
        // a listing in a listing, while what has been told goes and something comes
        "clear" => {
            let mut told = 0;
            for entry in std::fs::read_dir(&args[2]).expect("it is there") {
                let path = entry.expect("it can be read").path();
                let inside = std::fs::read_dir(&args[2]).expect("it is there");
                assert!(inside.count() > 0);
                std::fs::remove_file(path).expect("it is there");
                told += 1;
            }
            println!("{told}");
        }
        "exit" => std::process::exit(args[2].parse().expect("a number")),
        "panic" => innermost(&args),
        "recurse" => println!("{}", deeper(1)),
        "answer" => {
            print!("name? ");
            io::stdout().flush().expect("it can be written");
            for line in io::stdin().lock().lines() {
                println!("hello {}", line.expect("it can be read"));
            }
        }
        "read" => print!(
            "{}",
            std::fs::read_to_string(&args[2]).expect("it is there")
        ),
        "scratch" => {
            let file = std::env::var("TMPDIR").expect("it is set") + "/file";
            std::fs::write(&file, &args[2]).expect("it can be written");
            print!("{}", std::fs::read_to_string(&file).expect("it is there"));
            io::stdout().flush().expect("it can be written");
            match args[3].as_str() {
                "return" => {}
                "exit" => std::process::exit(5),
                _ => std::process::abort(),
            }
        }
        "endless" => {
            let mut out = io::stdout();
            while out.write_all(&[b'y'; 4096]).is_ok() {}
            eprintln!("nobody reads any more");
        }
        "litter" => {
            let folder = std::env::var("TMPDIR").expect("it is set");
            print!("begun");
            io::stdout().flush().expect("it can be written");
            for n in 0u64.. {
                std::fs::write(format!("{folder}/{n}"), "x").expect("it can be written");
            }
        }
        "spin" => while std::hint::black_box(true) {},
        "sleep" => std::thread::sleep(std::time::Duration::from_secs(3600)),
        other => panic!("{other:?} means nothing here"),
    }
}

/// libc's.
#[repr(C)]
struct PollFd {
    fd: i32,
    events: i16,
    revents: i16,
}

unsafe extern "C" {
    fn poll(fds: *mut PollFd, count: usize, milliseconds: i32) -> i32;
}

/// Reads so many bytes, or up to the end, without a buffer that holds more.
fn take(count: &str) {
    let mut bytes = vec![0; count.parse().expect("a number")];
    // SAFETY: nothing else here closes it.
    let mut stdin = ManuallyDrop::new(unsafe { File::from_raw_fd(0) });
    let mut read = 0;
    while read < bytes.len() {
        match stdin.read(&mut bytes[read..]).expect("it can be read") {
            0 => break,
            more => read += more,
        }
    }
    io::stdout()
        .write_all(&bytes[..read])
        .expect("it can be written");
}

#[inline(never)]
fn innermost(args: &[String]) {
    panic!("{} arguments are not enough", args.len());
}

#[inline(never)]
fn deeper(n: u64) -> u64 {
    match std::hint::black_box(n) {
        0 => 0,
        n => std::hint::black_box(deeper(n + 1)) + 1,
    }
}
