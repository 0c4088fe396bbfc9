//! The custom section in which a file lists its tests, suites and fixtures:
//! written by the SDK at compile time, read by the runner without running anything.
//!
//! The section is named [`NAME`] and holds records, in any order, as the linker
//! put them one behind the other. A record is
//!
//! | bytes | what |
//! |---|---|
//! | 2 | `wt` |
//! | 2 | the format's version ([`VERSION`]) |
//! | 6 | the version of the SDK that wrote it: major, minor, patch |
//! | 2 | what the record is of ([`Kind`]) |
//! | 4 | the length of the fields, at most [`MAX_RECORD`] |
//! | ... | fields: a tag of one byte ([`Tag`]), a length of four bytes, as many bytes |
//!
//! Numbers are little endian. The first ten bytes are the same in every version
//! of the format, so that a reader can always say who wrote what it does not know.
//!
//! All lengths come from a file that anybody could have written: [`records`]
//! checks each against what is there. Unknown tags of a known version are
//! passed over, so that fields can be added; anything else asks for a new version.

//!
//! # What is exported
//!
//! Everything in an instance is called by the runner, by exports that are named after
//! the path in the record:
//!
//! | export | of | type | meaning |
//! |---|---|---|---|
//! | [`EXPORT_PREFIX`] + path | tests, fixtures, hooks | `() -> i32` | runs it: 0 it went well, 1 it returned an error. The first call in an instance runs the constructors, each flushes stdout. A fixture or a setup keeps its value in the instance; if it [travels](Tag::Travels), the value as CBOR lies where the two words at the exported address [`VALUE`] say: address, length |
//! | [`RECEIVE_PREFIX`] + path | fixtures and setups whose value travels | `(i32) -> i32` | with a length: gives the address of as many bytes, for the runner to fill; with -1: takes what is there as the value, 0 if it is one |
//! | [`TEARDOWN_PREFIX`] + path | fixtures that have a teardown | `() -> i32` | runs it, as above |
//! | [`DROP_PREFIX`] + path | what says whether its value [drops](Tag::Drops) | `() -> i32` | drops the value that is kept, as above |
//!
//! In a component nothing is exported for the runner, and the tests are libtest's. Its
//! modules hold records of tests, fixtures and hooks all the same: which test needs
//! what, and what of that comes from the host ([`Tag::Needs`], [`Tag::Host`]).
//!
//! A hook belongs to the module that its function is in, and a module with hooks or a
//! record of its own is a suite. A setup is a fixture that all tests of its suite need.

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

use core::fmt;
use core::time::Duration;

/// The section's name.
pub const NAME: &str = "wasmtest";

/// The version of the format that this crate writes and reads.
pub const VERSION: u16 = 2;

/// What the name of an export begins with that runs something; its path follows.
pub const EXPORT_PREFIX: &str = "wasmtest:";

/// What the name of an export begins with that takes a value; its path follows.
pub const RECEIVE_PREFIX: &str = "wasmtest-receive:";

/// What the name of an export begins with that tears a fixture down; its path follows.
pub const TEARDOWN_PREFIX: &str = "wasmtest-teardown:";

/// What the name of an export begins with that drops a value; its path follows.
pub const DROP_PREFIX: &str = "wasmtest-drop:";

/// The exported address of two words: where a value lies that travels, and its length.
pub const VALUE: &str = "wasmtest-value";

/// How many bytes the fields of one record may take: no honest one has so many.
pub const MAX_RECORD: usize = 256 << 10;

/// The longest limit that a test can set itself: none is worth waiting for any longer.
pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

const MARK: [u8; 2] = *b"wt";
/// What every version of the format begins with.
const FIXED: usize = 10;
const RECORD_HEADER: usize = 16;
const FIELD_HEADER: usize = 5;

/// The version of an SDK.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SdkVersion(pub [u16; 3]);

impl SdkVersion {
    /// The version in a text such as `1.2.3`; what follows the third number does not count.
    ///
    /// # Panics
    /// At compile time, if the text has fewer than three numbers.
    pub const fn of(text: &str) -> Self {
        let text = text.as_bytes();
        let (mut numbers, mut i, mut n) = ([0u16; 3], 0, 0);
        while i < text.len() && n < 3 {
            match text[i] {
                digit @ b'0'..=b'9' => numbers[n] = numbers[n] * 10 + (digit - b'0') as u16,
                b'.' if n < 2 => n += 1,
                _ => break,
            }
            i += 1;
        }
        assert!(n == 2, "a version has three numbers");
        SdkVersion(numbers)
    }
}

impl fmt::Display for SdkVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

/// What a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
#[non_exhaustive]
pub enum Kind {
    /// A test.
    Test = 1,
    /// A suite: a module that was marked as one; its path is the module's.
    Suite = 2,
    /// A function whose value tests and others ask for by its name.
    Fixture = 3,
    /// A function that is run for a suite or around its tests.
    Hook = 4,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Test, Kind::Suite, Kind::Fixture, Kind::Hook];

    fn of(number: u16) -> Option<Kind> {
        Kind::ALL.into_iter().find(|k| *k as u16 == number)
    }
}

/// What a field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Tag {
    /// The path of the test, fixture, hook or suite, its crate's name first:
    /// `mycrate::tests::adds`. Always there.
    Path = 1,
    /// Its source file.
    File = 2,
    /// Its line, as a number.
    Line = 3,
    /// It is ignored; the text is the reason, which may be empty.
    Ignored = 4,
    /// It should panic; the text is what the message must contain, if not empty.
    ShouldPanic = 5,
    /// It is expected to fail; the text is the reason, which may be empty.
    Todo = 6,
    /// A tag of its own; there may be several.
    Label = 7,
    /// Its time limit in milliseconds, as a number.
    Timeout = 8,
    /// The memory that it may use in bytes, as a number.
    MaxMemory = 9,
    /// Its short description: the first paragraph of its documentation.
    Description = 10,
    /// The place of a case among its test's, as a number.
    Order = 11,
    /// How a suite or a fixture is distributed: `unit`, `split`, `shared`, `serial`.
    Distribution = 12,
    /// The path of a fixture that this needs; there may be several, in the order of
    /// the parameters.
    Needs = 13,
    /// What a hook is: `setup`, `teardown`, `before`, `after`.
    Role = 14,
    /// Its value travels as CBOR; the text is empty.
    Travels = 15,
    /// The fixture has a teardown; the text is empty.
    TearsDown = 16,
    /// It wants to be run anew for each test, never replayed from a snapshot; the
    /// text is empty.
    Fresh = 17,
    /// The value comes from the host fixture of this name in `wasmtest.toml`.
    Host = 18,
    /// Whether something is done when its value is dropped, as a number: 0 or 1.
    Drops = 19,
}

impl Tag {
    const ALL: [Tag; 19] = [
        Tag::Path,
        Tag::File,
        Tag::Line,
        Tag::Ignored,
        Tag::ShouldPanic,
        Tag::Todo,
        Tag::Label,
        Tag::Timeout,
        Tag::MaxMemory,
        Tag::Description,
        Tag::Order,
        Tag::Distribution,
        Tag::Needs,
        Tag::Role,
        Tag::Travels,
        Tag::TearsDown,
        Tag::Fresh,
        Tag::Host,
        Tag::Drops,
    ];

    fn of(byte: u8) -> Option<Tag> {
        Tag::ALL.into_iter().find(|t| *t as u8 == byte)
    }
}

/// A field, as the SDK's macros build it.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    tag: u8,
    content: Content<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Content<'a> {
    Text(&'a str),
    Number([u8; 8]),
}

impl<'a> Field<'a> {
    /// A field that is a text.
    pub const fn text(tag: Tag, text: &'a str) -> Self {
        Field {
            tag: tag as u8,
            content: Content::Text(text),
        }
    }

    /// A field that is a number.
    pub const fn number(tag: Tag, number: u64) -> Self {
        Field {
            tag: tag as u8,
            content: Content::Number(number.to_le_bytes()),
        }
    }

    const fn bytes(&self) -> &[u8] {
        match &self.content {
            Content::Text(text) => text.as_bytes(),
            Content::Number(bytes) => bytes,
        }
    }
}

/// How many bytes a record of these fields takes.
pub const fn record_len(fields: &[Field<'_>]) -> usize {
    let mut length = RECORD_HEADER;
    let mut i = 0;
    while i < fields.len() {
        length += FIELD_HEADER + fields[i].bytes().len();
        i += 1;
    }
    length
}

/// A record of these fields; `N` is [`record_len`] of them.
///
/// # Panics
/// At compile time, if `N` is anything else or the fields take more than [`MAX_RECORD`].
pub const fn record<const N: usize>(sdk: SdkVersion, kind: Kind, fields: &[Field<'_>]) -> [u8; N] {
    assert!(
        N - RECORD_HEADER <= MAX_RECORD,
        "the texts of a test (its documentation, reasons, tags) are too long"
    );
    let mut out = [0; N];
    let mut at = put(&mut out, 0, &MARK);
    at = put(&mut out, at, &VERSION.to_le_bytes());
    let mut number = 0;
    while number < sdk.0.len() {
        at = put(&mut out, at, &sdk.0[number].to_le_bytes());
        number += 1;
    }
    at = put(&mut out, at, &(kind as u16).to_le_bytes());
    at = put(&mut out, at, &((N - RECORD_HEADER) as u32).to_le_bytes());
    let mut i = 0;
    while i < fields.len() {
        let bytes = fields[i].bytes();
        at = put(&mut out, at, &[fields[i].tag]);
        at = put(&mut out, at, &(bytes.len() as u32).to_le_bytes());
        at = put(&mut out, at, bytes);
        i += 1;
    }
    assert!(at == N, "N is record_len of the fields");
    out
}

const fn put(out: &mut [u8], at: usize, bytes: &[u8]) -> usize {
    let mut i = 0;
    while i < bytes.len() {
        out[at + i] = bytes[i];
        i += 1;
    }
    at + bytes.len()
}

/// What is wrong with a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// A record or field is cut short, or what stands there is no record.
    Damaged {
        /// Where in the section, in bytes.
        at: usize,
    },
    /// A record is longer than any may be.
    Length {
        /// Where in the section, in bytes.
        at: usize,
        /// The length that it claims.
        length: usize,
    },
    /// The section is of a version that is not known here.
    Version {
        /// Its version.
        found: u16,
        /// The SDK that wrote it.
        sdk: SdkVersion,
    },
    /// A record is of a kind that is not known here.
    Kind {
        /// Where in the section, in bytes.
        at: usize,
        /// The SDK that wrote it.
        sdk: SdkVersion,
    },
    /// A text is not UTF-8, or a number has another length than eight bytes.
    Field {
        /// Where in the section, in bytes.
        at: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Damaged { at } => write!(f, "the section `{NAME}` is damaged at byte {at}"),
            Error::Length { at, length } => write!(
                f,
                "the section `{NAME}` has a record of {length} bytes at byte {at}, and none may be longer than {MAX_RECORD}"
            ),
            Error::Version { found, sdk } => write!(
                f,
                "the section `{NAME}` has format {found}, of SDK {sdk}, and format {VERSION} is known here"
            ),
            Error::Kind { at, sdk } => write!(
                f,
                "the section `{NAME}` holds a record of an unknown kind, of SDK {sdk}, at byte {at}"
            ),
            Error::Field { at } => {
                write!(
                    f,
                    "a field of the section `{NAME}` is not what it should be, at byte {at}"
                )
            }
        }
    }
}

impl core::error::Error for Error {}

/// A field that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A text.
    Text(Tag, &'a str),
    /// A number.
    Number(Tag, u64),
}

/// The records of a section: for each, its fields.
pub fn records(section: &[u8]) -> Records<'_> {
    Records { section, at: 0 }
}

/// See [`records`]. Ends after the first error.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    section: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Fields<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.section.len() {
            return None;
        }
        let start = self.at;
        // whatever is wrong, nothing after it can be found
        self.at = self.section.len();
        let damaged = Error::Damaged { at: start };
        let rest = &self.section[start..];
        let number = |header: &[u8], at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let Some(fixed) = rest.first_chunk::<FIXED>() else {
            return Some(Err(damaged));
        };
        if fixed[..2] != MARK {
            return Some(Err(damaged));
        }
        let sdk = SdkVersion([number(fixed, 4), number(fixed, 6), number(fixed, 8)]);
        let found = number(fixed, 2);
        if found != VERSION {
            return Some(Err(Error::Version { found, sdk }));
        }
        let Some((header, rest)) = rest.split_first_chunk::<RECORD_HEADER>() else {
            return Some(Err(damaged));
        };
        let Some(kind) = Kind::of(number(header, 10)) else {
            return Some(Err(Error::Kind { at: start, sdk }));
        };
        let length = u32::from_le_bytes([header[12], header[13], header[14], header[15]]) as usize;
        let Some(fields) = rest.get(..length) else {
            return Some(Err(damaged));
        };
        if length > MAX_RECORD {
            return Some(Err(Error::Length { at: start, length }));
        }
        let first = start + RECORD_HEADER;
        self.at = first + length;
        Some(Ok(Fields {
            kind,
            fields,
            at: first,
        }))
    }
}

/// The fields of one record. Ends after the first error.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    /// What the record is of.
    pub kind: Kind,
    fields: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Value<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.fields.is_empty() {
            let at = self.at;
            let split = self.fields.split_first_chunk::<FIELD_HEADER>();
            let Some(([tag, length @ ..], rest)) = split else {
                self.fields = &[];
                return Some(Err(Error::Damaged { at }));
            };
            let length = u32::from_le_bytes(*length) as usize;
            let Some(bytes) = rest.get(..length) else {
                self.fields = &[];
                return Some(Err(Error::Damaged { at }));
            };
            self.fields = &rest[length..];
            self.at += FIELD_HEADER + length;
            let Some(tag) = Tag::of(*tag) else { continue };
            return Some(match tag {
                Tag::Line | Tag::Timeout | Tag::MaxMemory | Tag::Order | Tag::Drops => {
                    match bytes.try_into() {
                        Ok(bytes) => Ok(Value::Number(tag, u64::from_le_bytes(bytes))),
                        Err(_) => Err(Error::Field { at }),
                    }
                }
                _ => match core::str::from_utf8(bytes) {
                    Ok(text) => Ok(Value::Text(tag, text)),
                    Err(_) => Err(Error::Field { at }),
                },
            });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    const FIELDS: &[Field<'_>] = &[
        Field::text(Tag::Path, "a::b"),
        Field::number(Tag::Line, 7),
        Field::text(Tag::Ignored, ""),
    ];
    const SDK: SdkVersion = SdkVersion::of("1.20.3-beta.4");
    static RECORD: [u8; record_len(FIELDS)] = record(SDK, Kind::Test, FIELDS);

    #[test]
    fn what_is_written_is_read() {
        let section = [RECORD, RECORD].concat();
        let all: Vec<Vec<_>> = records(&section)
            .map(|r| r.expect("whole").map(|f| f.expect("good")).collect())
            .collect();
        let one = [
            Value::Text(Tag::Path, "a::b"),
            Value::Number(Tag::Line, 7),
            Value::Text(Tag::Ignored, ""),
        ];
        assert_eq!(all, [one.to_vec(), one.to_vec()]);
    }

    #[test]
    fn a_section_that_is_cut_anywhere_is_an_error_or_shorter_and_never_a_panic() {
        for cut in 1..RECORD.len() {
            let read: Result<Vec<_>, _> = records(&RECORD[..cut]).collect();
            assert_eq!(read.err(), Some(Error::Damaged { at: 0 }), "{cut}");
        }
        for i in 0..RECORD.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bad = RECORD;
                bad[i] = value;
                // it ends, and reads nothing that is not there
                for record in records(&bad) {
                    let _ = record.map(Iterator::count);
                }
            }
        }
    }

    #[test]
    fn a_version_of_the_future_is_told_and_an_unknown_field_passed_over() {
        let mut future = RECORD;
        future[2] = 9;
        assert_eq!(
            records(&future).next().and_then(Result::err),
            Some(Error::Version { found: 9, sdk: SDK })
        );
        // whatever follows in it
        assert_eq!(
            records(&future[..FIXED]).next().and_then(Result::err),
            Some(Error::Version { found: 9, sdk: SDK })
        );
        assert_eq!(std::string::ToString::to_string(&SDK), "1.20.3");
        let mut of_another_kind = RECORD;
        of_another_kind[10] = 77;
        assert_eq!(
            records(&of_another_kind).next().and_then(Result::err),
            Some(Error::Kind { at: 0, sdk: SDK })
        );
        let mut unknown = RECORD;
        unknown[RECORD_HEADER] = 200;
        let fields = records(&unknown).next().expect("one").expect("whole");
        assert_eq!(fields.count(), 2);
    }
}
