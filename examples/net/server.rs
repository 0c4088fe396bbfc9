//! A small HTTP server on 127.0.0.1, at the port that its first argument names.
//!
//! What it prints as JSON before it is ready reaches the tests as variables.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

const GREETING: &str = "hello from the host";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).ok_or("which port?")?.parse()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    println!("{{\"greeting\": \"{GREETING}\"}}");
    println!("listening on port {port}");
    for stream in listener.incoming() {
        // a client that goes away is no reason to end
        if let Err(e) = stream.and_then(answer) {
            eprintln!("a request failed: {e}");
        }
    }
    Ok(())
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    // the rest of the request's head
    while lines.next().transpose()?.is_some_and(|l| !l.is_empty()) {}
    let (status, body) = match request.split(' ').nth(1) {
        Some("/health") => ("200 OK", ""),
        Some("/") => ("200 OK", GREETING),
        _ => ("404 Not Found", "there is no such page"),
    };
    println!("{request}: {status}");
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n");
    stream.write_all(format!("{head}\r\n{body}").as_bytes())
}
