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
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// How much a guest may hand over in one write; it is all taken at once.
const PERMIT: usize = 1 << 20;

/// One stream of a guest's; clones share what was written.
#[derive(Clone, Debug)]
pub struct Stream(Arc<Mutex<Written>>);

#[derive(Debug)]
struct Written {
    kept: Capture,
    scan: Scan,
}

impl Stream {
    /// A stream that keeps `cap` bytes of its head and as many of its tail.
    pub fn new(cap: usize) -> Self {
        Stream(Arc::new(Mutex::new(Written {
            kept: Capture::new(cap),
            scan: Scan::default(),
        })))
    }

    /// What was kept until now, and what was seen in it; the stream begins anew.
    pub fn finish(&self) -> (Captured, Scan) {
        let mut stream = self.lock();
        let captured = stream.kept.take();
        let mut scan = std::mem::take(&mut stream.scan);
        drop(stream);
        scan.finish();
        (captured, scan)
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Written {
    fn push(&mut self, bytes: &[u8]) {
        self.scan.write(bytes);
        self.kept.push(bytes);
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
        self.lock().push(&bytes);
        Ok(())
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
        self.lock().push(bytes);
        Poll::Ready(Ok(bytes.len()))
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
        stream.lock().push(
            b"\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n",
        );
        stream.lock().push(&[b'x'; 100]);
        assert_eq!(stream.finish().1.counts.expect("seen").passed, 1);
    }
}
