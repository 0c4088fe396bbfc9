//! Does what its first argument says, with the standard streams that it has.
use std::io::{self, BufRead, Read, Write};

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
