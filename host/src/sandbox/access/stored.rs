//! What components write to files through a stream, counted before it is.

use super::super::quota::{Account, Refused};
use bytes::Bytes;
use std::io;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};

/// A stream of wasmtime's to a file in a guest's own folders.
pub struct Stored {
    stream: DynOutputStream,
    account: Account,
}

impl Stored {
    pub fn new(stream: DynOutputStream, account: Account) -> Stored {
        Stored { stream, account }
    }

    fn count(&self, bytes: usize) -> StreamResult<()> {
        match self.account.has_room_for_bytes(bytes) {
            true => Ok(()),
            // as the system says it: the guest asks for the number
            false => {
                self.account.refuse();
                let full = io::Error::from_raw_os_error(libc::ENOSPC);
                Err(StreamError::LastOperationFailed(full.into()))
            }
        }
    }

    /// Notes what the system refused.
    fn noted<T>(&self, result: StreamResult<T>) -> StreamResult<T> {
        if let Err(StreamError::LastOperationFailed(e)) = &result
            && let Some(e) = e.downcast_ref::<io::Error>()
        {
            match e.raw_os_error() {
                Some(libc::EFBIG) => self.account.refused_by_the_system(Refused::Length),
                Some(libc::ENOSPC) => self.account.refused_by_the_system(Refused::Disk),
                _ => {}
            }
        }
        result
    }
}

#[async_trait]
impl OutputStream for Stored {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.count(bytes.len())?;
        self.stream.write(bytes)
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.count(bytes.len())?;
        let written = self.stream.blocking_write_and_flush(bytes).await;
        self.noted(written)
    }

    fn flush(&mut self) -> StreamResult<()> {
        let flushed = self.stream.flush();
        self.noted(flushed)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        let room = self.stream.check_write();
        self.noted(room)
    }

    async fn cancel(&mut self) {
        self.stream.cancel().await;
    }
}

#[async_trait]
impl Pollable for Stored {
    async fn ready(&mut self) {
        self.stream.ready().await;
    }
}
