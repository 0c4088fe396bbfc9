//! Looks at a fixture's port until it answers as it should, from a thread of its own.

use crate::config::fixture::ReadyWhen;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// From one look to the next: soon at first.
const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_millis(200);
/// A server that has taken a connection has so long to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// What the looks have given.
#[derive(Clone, Default)]
pub(super) struct Answers(Arc<Mutex<Option<String>>>);

impl Answers {
    /// Why the last look was not enough.
    pub(super) fn last(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Looks at a port, if that is what readiness depends on; `on_ready` is called once.
///
/// # Errors
/// If the machine has no thread left.
pub(super) fn start(
    ready: &ReadyWhen,
    port: u16,
    on_ready: impl FnOnce() + Send + 'static,
) -> io::Result<Answers> {
    let answers = Answers::default();
    let path = match ready {
        ReadyWhen::Started | ReadyWhen::Line(_) => return Ok(answers),
        ReadyWhen::Port => None,
        ReadyWhen::Http(path) => Some(path.clone()),
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let said = answers.clone();
    thread::Builder::new().spawn(move || {
        let mut wait = FIRST;
        loop {
            match look(address, path.as_deref()) {
                Ok(()) => return on_ready(),
                Err(why) => {
                    *said.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
                }
            }
            thread::sleep(wait);
            wait = (wait * 3 / 2).min(LONGEST);
        }
    })?;
    Ok(answers)
}

fn look(address: SocketAddr, path: Option<&str>) -> Result<(), String> {
    let mut server = TcpStream::connect_timeout(&address, ANSWER).map_err(|e| e.to_string())?;
    // a connection to a free port of one's own machine can be one to itself
    if server.local_addr().is_ok_and(|own| own == address) {
        return Err("nothing listens".to_owned());
    }
    let Some(path) = path else {
        return Ok(());
    };
    let status = status(&mut server, address, path).map_err(|e| format!("no answer: {e}"))?;
    match status.split(' ').nth(1) {
        Some(code) if code.len() == 3 && code.starts_with('2') => Ok(()),
        _ => Err(format!("the answer was {status:?}")),
    }
}

/// The first line of the answer to a request.
fn status(server: &mut TcpStream, address: SocketAddr, path: &str) -> io::Result<String> {
    const LONGEST_LINE: u64 = 200;
    server.set_read_timeout(Some(ANSWER))?;
    server.set_write_timeout(Some(ANSWER))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    server.write_all(request.as_bytes())?;
    let mut line = Vec::new();
    BufReader::new(server.take(LONGEST_LINE)).read_until(b'\n', &mut line)?;
    if !line.ends_with(b"\n") {
        return Err(io::Error::other("it was cut short"));
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}
