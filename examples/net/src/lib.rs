//! A client of an HTTP server; its tests talk to a real one, which `wasmtest.toml` names.
//!
//! Sockets need wasm32-wasip2: modules of WASI 0.1 cannot open any.

use std::io::{self, Read, Write};
use std::net::TcpStream;

/// Gets a page: its status and its body.
///
/// # Errors
/// If the server cannot be reached or does not speak HTTP.
pub fn get(server: &str, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(server)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let no_http = || io::Error::new(io::ErrorKind::InvalidData, "that is no HTTP");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(no_http)?;
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
    Ok((status.ok_or_else(no_http)?, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str) -> String {
        std::env::var(name).unwrap_or_else(|_| panic!("{name} comes with the fixture"))
    }

    #[test]
    fn gets_a_page() -> io::Result<()> {
        let (status, body) = get(&variable("WASMTEST_SERVER_ADDR"), "/")?;
        assert_eq!(status, 200);
        assert_eq!(body, variable("WASMTEST_SERVER_GREETING"));
        Ok(())
    }

    #[test]
    fn is_told_of_a_missing_page() -> io::Result<()> {
        let (status, _) = get(&variable("WASMTEST_SERVER_ADDR"), "/missing")?;
        assert_eq!(status, 404);
        Ok(())
    }
}
