//! How messages are framed: a length of four bytes, little endian, and as many bytes of CBOR.
//!
//! A length is never trusted: a frame that claims more than [`MAX_FRAME`] ends
//! the conversation, and memory is taken only as bytes arrive.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Read, Write};

/// The largest frame that is accepted: far above any honest one (a listing of
/// a million tests is some 100 MiB).
pub const MAX_FRAME: u32 = 512 << 20;

/// Writes one message.
///
/// # Errors
/// Those of the writer; a message above [`MAX_FRAME`] is `InvalidData`.
pub fn write_frame<T: Serialize>(to: &mut impl Write, message: &T) -> io::Result<()> {
    let mut frame = vec![0; 4];
    ciborium::into_writer(message, &mut frame).map_err(io::Error::other)?;
    let length = u32::try_from(frame.len() - 4)
        .ok()
        .filter(|l| *l <= MAX_FRAME)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "message too large"))?;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    to.write_all(&frame)
}

/// Reads one message; `None` at the end of the stream between two frames.
///
/// # Errors
/// Those of the reader; `UnexpectedEof` for a frame that is cut short, as by the
/// writer's death; `InvalidData` for one that is too long or not what was expected.
pub fn read_frame<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    let mut got = 0;
    while got < 4 {
        match from.read(&mut length[got..]) {
            Ok(0) if got == 0 => return Ok(None),
            Ok(0) => return Err(cut_short()),
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    let length = u32::from_le_bytes(length);
    if length > MAX_FRAME {
        return Err(invalid(format!("frame of {length} bytes")));
    }
    let mut frame = Vec::with_capacity(length.min(1 << 16) as usize);
    from.take(u64::from(length)).read_to_end(&mut frame)?;
    if frame.len() != length as usize {
        return Err(cut_short());
    }
    ciborium::from_reader(frame.as_slice())
        .map(Some)
        .map_err(|e| invalid(e.to_string()))
}

fn cut_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "frame cut short")
}

fn invalid(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

/// A duration as one number.
pub(super) mod nanoseconds {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use std::time::Duration;

    pub fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_nanos)
    }
}
