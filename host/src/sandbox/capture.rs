//! A guest's stdout or stderr: kept up to a cap, scanned without one.
//!
//! Its head and its tail are kept ([`Capture`]); [`Scan`] reads everything as it streams by,
//! since a verdict may rest on it.

use crate::event::{Capture, Captured};
use crate::harness::scan::Scan;
use bytes::Bytes;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

/// How much a guest may hand over in one write; it is all taken at once.
const PERMIT: usize = 1 << 20;

/// One stream of a guest's; clones share what was written.
#[derive(Clone, Debug)]
pub struct Stream(Arc<Mutex<Written>>);

#[derive(Debug)]
struct Written {
    kept: Capture,
    scan: Scan,
    /// How many bytes were written.
    written: u64,
    /// How many may be.
    max: Option<u64>,
}

impl Stream {
    /// A stream that keeps `cap` bytes of its head and as many of its tail.
    pub fn new(cap: usize) -> Self {
        Stream::limited(cap, None)
    }

    /// The same, to which so many bytes may be written.
    pub fn limited(cap: usize, max: Option<u64>) -> Self {
        Stream(Arc::new(Mutex::new(Written {
            kept: Capture::new(cap),
            scan: Scan::default(),
            written: 0,
            max,
        })))
    }

    /// What was kept until now, and what was seen in it; the stream begins anew.
    pub fn finish(&self) -> (Captured, Scan) {
        let mut stream = self.lock();
        stream.written = 0;
        let captured = stream.kept.take();
        let mut scan = std::mem::take(&mut stream.scan);
        drop(stream);
        scan.finish();
        (captured, scan)
    }

    /// The limit of what may be written, if more was.
    pub fn passed(&self) -> Option<u64> {
        let stream = self.lock();
        stream.max.filter(|max| stream.written > *max)
    }

    /// Takes these pieces of what a guest writes, at once.
    ///
    /// # Errors
    /// If that is more than may be written: the guest is stopped.
    pub(super) fn push<'b>(&self, pieces: impl Iterator<Item = &'b [u8]>) -> Result<(), TooMuch> {
        let mut stream = self.lock();
        for piece in pieces {
            stream.push(piece)?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// More was written than may be: the guest is stopped.
#[derive(Debug, thiserror::Error)]
#[error("more is written than may be")]
pub(super) struct TooMuch;

impl Written {
    fn push(&mut self, bytes: &[u8]) -> Result<(), TooMuch> {
        self.written = self.written.saturating_add(bytes.len() as u64);
        if self.max.is_some_and(|max| self.written > max) {
            return Err(TooMuch);
        }
        self.scan.write(bytes);
        self.kept.push(bytes);
        Ok(())
    }
}

impl IsTerminal for Stream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl OutputStream for Stream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.lock()
            .push(&bytes)
            .map_err(|e| StreamError::Trap(e.into()))
    }
    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }
    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT)
    }
}

#[async_trait]
impl Pollable for Stream {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.lock().push(bytes).map_err(io::Error::other);
        Poll::Ready(written.map(|()| bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_verdict_needs_is_seen_beyond_the_cap() {
        let stream = Stream::new(8);
        let push = |bytes: &[u8]| stream.lock().push(bytes).expect("there is no limit");
        push(b"\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n");
        push(&[b'x'; 100]);
        assert_eq!(stream.finish().1.counts.expect("seen").passed, 1);
    }
}
