//! This process's stdin as a program's: no byte is taken from it that was not asked for.
//!
//! Whoever reads from the same descriptor after the program finds what it has left, as after a
//! native one. So nothing is kept here, and whether there is something to read is asked of
//! the system, never found out by reading.

use bytes::Bytes;
use std::io;
use std::os::fd::RawFd;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, Interest, ReadBuf};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdinStream};
use wasmtime_wasi::p2::{InputStream, Pollable, StreamError};

const STDIN: RawFd = libc::STDIN_FILENO;

/// What is read at once at most: a guest may ask for as much as it likes.
const MOST: usize = 64 << 10;

/// The stdin of this process.
#[derive(Clone, Default)]
pub struct Stdin {
    /// What tells of a change, made when something first waits; `None` where there can be
    /// none. (A file cannot be watched, but is always ready.)
    watched: Arc<OnceLock<Option<AsyncFd<RawFd>>>>,
}

/// How long is waited at a time where the system cannot tell of a change, in ms.
const PAUSE: i32 = 10;

/// Whether there is something to read, or an end, or an error.
fn is_ready() -> bool {
    is_ready_within(0)
}

fn is_ready_within(milliseconds: i32) -> bool {
    let mut stdin = libc::pollfd {
        fd: STDIN,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one such struct is given, which is this function's own, and one is told of.
    unsafe { libc::poll(&raw mut stdin, 1, milliseconds) > 0 }
}

/// Reads into the buffer what is there; `WouldBlock` if nothing is.
fn read(to: &mut [u8]) -> io::Result<usize> {
    loop {
        if !is_ready() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        // SAFETY: it writes to the buffer, and no more than its length.
        let read = unsafe { libc::read(STDIN, to.as_mut_ptr().cast(), to.len()) };
        if let Ok(read) = usize::try_from(read) {
            return Ok(read);
        }
        let error = io::Error::last_os_error();
        match (error.kind(), error.raw_os_error()) {
            (io::ErrorKind::Interrupted, _) => {}
            // a stdin that is closed, or that can only be written to, is at its end
            (_, Some(libc::EBADF)) => return Ok(0),
            _ => return Err(error),
        }
    }
}

impl Stdin {
    fn watched(&self) -> Option<&AsyncFd<RawFd>> {
        let watch = || {
            // SAFETY: descriptor 0 is open, as std makes sure before `main`, and nothing here
            // closes it or puts another file in its place.
            unsafe { AsyncFd::register_with_interest(STDIN, Interest::READABLE) }.ok()
        };
        self.watched.get_or_init(watch).as_ref()
    }

    /// Waits until there is something to read; several may.
    async fn wait(&self) {
        while !is_ready() {
            let changed = match self.watched() {
                Some(watched) => watched.readable().await.ok(),
                None => None,
            };
            let Some(mut changed) = changed else {
                is_ready_within(PAUSE);
                continue;
            };
            // it tells of changes, and this one may be over; another wakes again
            if is_ready() {
                return;
            }
            changed.clear_ready();
        }
    }
}

impl IsTerminal for Stdin {
    fn is_terminal(&self) -> bool {
        IsTerminal::is_terminal(&io::stdin())
    }
}

impl StdinStream for Stdin {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Stdin {
    async fn ready(&mut self) {
        self.wait().await;
    }
}

#[async_trait]
impl InputStream for Stdin {
    fn read(&mut self, size: usize) -> Result<Bytes, StreamError> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        let mut bytes = vec![0; size.min(MOST)];
        match read(&mut bytes) {
            Ok(0) => Err(StreamError::Closed),
            Ok(read) => {
                bytes.truncate(read);
                Ok(bytes.into())
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(Bytes::new()),
            Err(e) => Err(StreamError::LastOperationFailed(e.into())),
        }
    }

    async fn blocking_read(&mut self, size: usize) -> Result<Bytes, StreamError> {
        loop {
            self.wait().await;
            let read = self.read(size)?;
            // another process may have been faster
            if size == 0 || !read.is_empty() {
                return Ok(read);
            }
        }
    }
}

impl AsyncRead for Stdin {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let length = to.remaining().min(MOST);
        loop {
            match read(to.initialize_unfilled_to(length)) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Ok(read) => {
                    to.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(e) => return Poll::Ready(Err(e)),
            }
            let Some(watched) = self.watched() else {
                is_ready_within(PAUSE);
                continue;
            };
            let mut changed = ready!(watched.poll_read_ready(context))?;
            if !is_ready() {
                changed.clear_ready();
            }
        }
    }
}
