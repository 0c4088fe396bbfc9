//! How messages are framed: a length of four bytes, little endian, and as many bytes of CBOR.
//!
//! A length is never trusted: a frame that claims more than [`MAX_FRAME`], or than the reader
//! waits for, ends the conversation, and memory is taken only as bytes arrive. Nor is what is in
//! it: values are counted before any is made, so that what a frame becomes is in proportion to
//! its bytes, and are nested as deep as ciborium allows (256).

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Read, Write};

/// The largest frame there is, in bytes: a listing of a million tests is some 100 MiB.
pub const MAX_FRAME: u32 = 256 << 20;

/// The largest frame of whoever tells what is no listing, in bytes: what one test may hand over
/// (16 MiB), several times over.
pub const MAX_RESULT: u32 = 64 << 20;

/// So many values may be in any frame ...
const FEW_VALUES: usize = 100_000;
/// ... and in a long one as many as it has of this many bytes: a string that takes one byte on the
/// wire takes 24 in memory, and no honest list is of such.
const BYTES_OF_A_VALUE: usize = 4;

/// Writes one message.
///
/// # Errors
/// Those of the writer; a message above [`MAX_FRAME`] is `InvalidData`.
pub fn write_frame<T: Serialize>(to: &mut impl Write, message: &T) -> io::Result<()> {
    write_frame_within(to, message, MAX_FRAME)
}

/// Writes one message to who reads none that is larger than this, in bytes.
///
/// # Errors
/// Those of the writer; a message above that is `InvalidData`.
pub fn write_frame_within<T: Serialize>(
    to: &mut impl Write,
    message: &T,
    largest: u32,
) -> io::Result<()> {
    let mut frame = vec![0; 4];
    ciborium::into_writer(message, &mut frame).map_err(io::Error::other)?;
    let length = u32::try_from(frame.len() - 4)
        .ok()
        .filter(|l| *l <= largest)
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
    read_frame_within(from, |length| length <= MAX_FRAME)
}

/// Reads one message whose length in bytes, once there is one, may be what it is.
///
/// # Errors
/// As [`read_frame`].
pub fn read_frame_within<T: DeserializeOwned>(
    from: &mut impl Read,
    may_be: impl FnOnce(u32) -> bool,
) -> io::Result<Option<T>> {
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
    if !may_be(length) {
        return Err(invalid(format!("frame of {length} bytes")));
    }
    let mut frame = Vec::with_capacity(length.min(1 << 16) as usize);
    from.take(u64::from(length)).read_to_end(&mut frame)?;
    if frame.len() != length as usize {
        return Err(cut_short());
    }
    match values_in(&frame) {
        Some(values) if values <= FEW_VALUES + frame.len() / BYTES_OF_A_VALUE => {}
        Some(values) => return Err(invalid(format!("frame of {values} values"))),
        None => return Err(invalid("what is in a frame does not end with it")),
    }
    ciborium::from_reader(frame.as_slice())
        .map(Some)
        .map_err(|e| invalid(e.to_string()))
}

/// How many values these bytes of CBOR hold, those in lists and maps each for itself; `None` if
/// one is cut short or is none. Looks at the head of each and at nothing else.
fn values_in(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut values) = (0, 0);
    while at < bytes.len() {
        let (kind, short) = (bytes[at] >> 5, bytes[at] & 0x1f);
        let (argument, wide) = match short {
            0..24 => (u64::from(short), 0),
            24..28 => {
                let wide = 1 << (short - 24);
                let read = bytes.get(at + 1..at + 1 + wide)?;
                (read.iter().fold(0, |a, b| a << 8 | u64::from(*b)), wide)
            }
            // of no length that is told before
            31 => (0, 0),
            _ => return None,
        };
        let content = match kind {
            2 | 3 => usize::try_from(argument).ok()?,
            _ => 0,
        };
        at = (at + 1 + wide).checked_add(content)?;
        values += 1;
    }
    (at == bytes.len()).then_some(values)
}

/// Whether these bytes are one value in CBOR and nothing else, nested no deeper than any reader
/// follows.
pub fn is_one_value(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let one = ciborium::from_reader::<serde::de::IgnoredAny, _>(&mut rest);
    one.is_ok() && rest.is_empty()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).expect("it is short");
        [&length.to_le_bytes(), content].concat()
    }

    fn refusal<T: DeserializeOwned>(content: &[u8]) -> String {
        match read_frame::<T>(&mut framed(content).as_slice()) {
            Ok(_) => panic!("it was read"),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn what_a_frame_becomes_is_in_proportion_to_its_bytes() {
        // a list of a million empty strings, which would be 24 MB
        let mut many = vec![0x9a, 0, 0x0f, 0x42, 0x40];
        many.resize(5 + 1_000_000, 0x60);
        assert_eq!(refusal::<Vec<String>>(&many), "frame of 1000001 values");
        // those that are as long as names are
        let names = vec!["a::b::c".to_owned(); 200_000];
        let mut bytes = Vec::new();
        write_frame(&mut bytes, &names).expect("a vector takes everything");
        let back: Option<Vec<String>> = read_frame(&mut bytes.as_slice()).expect("they are read");
        assert_eq!(back, Some(names));
    }

    #[test]
    fn what_is_nested_without_end_is_refused_and_no_stack_overflows() {
        for open in [0x81, 0xa1, 0x9f, 0xbf, 0xc0] {
            let deep = vec![open; 100_000];
            refusal::<ciborium::Value>(&deep);
            refusal::<serde::de::IgnoredAny>(&deep);
            refusal::<serde_json::Value>(&deep);
            assert!(!is_one_value(&deep));
        }
    }

    #[test]
    fn lengths_inside_of_a_frame_take_no_memory_either() {
        for kind in [0x5b, 0x7b, 0x9b, 0xbb] {
            let mut lie = vec![kind];
            lie.extend([0xff; 8]);
            lie.push(0x60);
            refusal::<Vec<String>>(&lie);
            refusal::<ciborium::Value>(&lie);
        }
        assert_eq!(values_in(&[0x83, 0x61, b'a', 0x19, 1, 0, 0xf6]), Some(4));
        assert_eq!(values_in(&[0x62, b'a']), None);
        assert_eq!(values_in(&[0x1c]), None);
    }

    #[test]
    fn no_frame_is_larger_than_what_is_waited_for() {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, &"12345678").expect("a vector takes everything");
        let within = |largest| {
            read_frame_within::<String>(&mut bytes.as_slice(), |length| length <= largest)
        };
        assert!(within(9).expect("it is as large").is_some());
        assert!(within(8).is_err());
        assert!(write_frame_within(&mut Vec::new(), &"12345678", 8).is_err());
    }

    #[test]
    fn one_value_is_neither_none_nor_two() {
        assert!(is_one_value(&[0x82, 1, 2]));
        for not in [&[][..], &[0x82, 1], &[1, 2], &[0xff]] {
            assert!(!is_one_value(not), "{not:?}");
        }
    }
}
