//! Walks over a module's or component's sections while it is read, once, from its beginning.
//!
//! Takes whatever can be read and how long it should be; gives the sections that
//! [`identify`](super::identify) asks for, one after the other, and the hash of all bytes. Of
//! the rest, code and debug information above all, nothing is kept: a file costs the memory of
//! its largest section that is asked for, and that is bounded.

use crate::protocol::ContentHash;
use std::io::{self, BufRead as _, BufReader, Read};

/// No section that is kept is longer, in bytes: the list of 100,000 tests is half of it.
pub const LARGEST_SECTION: u64 = 64 << 20;
/// Nothing nests deeper.
const DEEPEST: usize = 1000;
/// What is read at once, in bytes.
const PIECE: usize = 128 << 10;

/// What a section is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Module,
    Component,
}

/// What is wrong with what is read.
#[derive(Debug, thiserror::Error)]
pub enum SectionsError {
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It does not begin as it should; the first of its bytes.
    #[error("it is no WebAssembly")]
    NotWasm(Vec<u8>),
    /// It is of a version that is not known here.
    #[error("its version is not known")]
    Version,
    #[error("{what} at byte {at}")]
    Damaged {
        what: &'static str,
        /// Where, in bytes.
        at: u64,
    },
    /// There is more of something than is looked at.
    #[error("{0}")]
    TooLarge(String),
}

/// What is read, and where in it.
pub struct Sections<R> {
    from: BufReader<Hashing<io::Take<R>>>,
    at: u64,
    length: u64,
    /// What is open here, the outermost first, and where each ends.
    open: Vec<(Kind, u64)>,
}

/// A section of which the head was read.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    pub id: u8,
    /// What it is part of.
    pub of: Kind,
    /// How deep that lies; 1 is the file.
    pub depth: usize,
    /// Where its content begins and ends, in bytes.
    start: u64,
    end: u64,
}

struct Hashing<R> {
    from: R,
    hasher: blake3::Hasher,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(to)?;
        self.hasher.update(&to[..read]);
        Ok(read)
    }
}

const CORE: [u8; 4] = [1, 0, 0, 0];
const COMPONENT: [u8; 4] = [13, 0, 1, 0];
const MAGIC: &[u8] = b"\0asm";

/// The section of a component that is a module, and that which is a component.
const NESTED: [(u8, Kind); 2] = [(1, Kind::Module), (4, Kind::Component)];

impl<R: Read> Sections<R> {
    /// Reads the header of what is so many bytes long.
    ///
    /// # Errors
    /// If it is no WebAssembly, of an unknown version, or cannot be read.
    pub fn new(from: R, length: u64) -> Result<Self, SectionsError> {
        let hashing = Hashing {
            from: from.take(length),
            hasher: blake3::Hasher::new(),
        };
        let mut sections = Sections {
            from: BufReader::with_capacity(PIECE, hashing),
            at: 0,
            length,
            open: Vec::new(),
        };
        let first = sections.from.fill_buf()?;
        if first.get(..4) != Some(MAGIC) {
            return Err(SectionsError::NotWasm(first.to_vec()));
        }
        let kind = sections.header(length)?;
        sections.open.push((kind, length));
        Ok(sections)
    }

    /// What the file is.
    pub fn kind(&self) -> Kind {
        self.open.first().map_or(Kind::Module, |(kind, _)| *kind)
    }

    /// The next section; nested modules are entered. What was not kept of the one before has to
    /// be passed over by [`Sections::skip`] or [`Sections::pieces`].
    ///
    /// # Errors
    /// If what is there is damaged or cannot be read.
    pub fn next(&mut self) -> Result<Option<Head>, SectionsError> {
        loop {
            let Some((of, end)) = self.open.last().copied() else {
                return Ok(None);
            };
            if self.at == end {
                if self.open.len() == 1 {
                    return Ok(None);
                }
                self.open.pop();
                continue;
            }
            let id = self.byte(end)?;
            let size = u64::from(self.number(end)?);
            let start = self.at;
            if size > end - start {
                return Err(self.damaged("a section is longer than what it is part of"));
            }
            let head = Head {
                id,
                of,
                depth: self.open.len(),
                start,
                end: start + size,
            };
            let nested = NESTED.iter().find(|(nested, _)| *nested == id);
            let Some((_, wanted)) = nested.filter(|_| of == Kind::Component) else {
                return Ok(Some(head));
            };
            if self.open.len() >= DEEPEST {
                let what = format!("it nests deeper than {DEEPEST} components");
                return Err(SectionsError::TooLarge(what));
            }
            let kind = self.header(head.end)?;
            if kind != *wanted {
                return Err(self.damaged("a nested module is of another kind"));
            }
            self.open.push((kind, head.end));
        }
    }

    /// The whole of a section.
    ///
    /// # Errors
    /// If it is longer than [`LARGEST_SECTION`] or cannot be read.
    pub fn whole(&mut self, head: Head) -> Result<Vec<u8>, SectionsError> {
        let size = head.end - self.at;
        if size > LARGEST_SECTION {
            return Err(SectionsError::TooLarge(format!(
                "its section {} has {size} bytes, and {LARGEST_SECTION} are read at most",
                head.id
            )));
        }
        let mut bytes = Vec::new();
        self.from.by_ref().take(size).read_to_end(&mut bytes)?;
        self.at += bytes.len() as u64;
        match self.at == head.end {
            true => Ok(bytes),
            false => Err(self.damaged("it ends before it should")),
        }
    }

    /// The name of a custom section, if it is not longer than this.
    ///
    /// # Errors
    /// If it is damaged or cannot be read.
    pub fn name(&mut self, head: Head, longest: usize) -> Result<Option<Vec<u8>>, SectionsError> {
        let length = u64::from(self.number(head.end)?);
        if length > head.end - self.at {
            return Err(self.damaged("a name is longer than its section"));
        }
        if length > longest as u64 {
            return Ok(None);
        }
        let mut name = vec![0; length as usize];
        self.from.read_exact(&mut name)?;
        self.at += length;
        Ok(Some(name))
    }

    /// Looks at what is left of a section, piece by piece.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn pieces(&mut self, head: Head, mut look: impl FnMut(&[u8])) -> Result<(), SectionsError> {
        while self.at < head.end {
            let buffered = self.from.fill_buf()?;
            let left = usize::try_from(head.end - self.at).unwrap_or(usize::MAX);
            let length = buffered.len().min(left);
            if length == 0 {
                return Err(self.damaged("it ends before it should"));
            }
            look(&buffered[..length]);
            self.from.consume(length);
            self.at += length as u64;
        }
        Ok(())
    }

    /// The same, with what ended the piece before in front of each: whatever is shorter than
    /// this is whole in one of them.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn overlapping(
        &mut self,
        head: Head,
        overlap: usize,
        mut look: impl FnMut(&[u8]),
    ) -> Result<(), SectionsError> {
        let mut window = Vec::new();
        self.pieces(head, |piece| {
            window.drain(..window.len().saturating_sub(overlap));
            window.extend_from_slice(piece);
            look(&window);
        })
    }

    /// Passes over what is left of a section.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn skip(&mut self, head: Head) -> Result<(), SectionsError> {
        self.pieces(head, |_| ())
    }

    /// The hash of all that was to be read, once all sections were.
    ///
    /// # Errors
    /// If some of it is not there.
    pub fn content(self) -> Result<ContentHash, SectionsError> {
        match self.at == self.length {
            true => {
                let hash = self.from.into_inner().hasher.finalize();
                Ok(ContentHash(*hash.as_bytes()))
            }
            false => Err(self.damaged("it ends before it should")),
        }
    }

    fn header(&mut self, end: u64) -> Result<Kind, SectionsError> {
        let mut header = [0; 8];
        for (at, byte) in header.iter_mut().enumerate() {
            *byte = match self.byte(end) {
                Ok(byte) => byte,
                Err(SectionsError::Damaged { .. }) if at > 0 => {
                    return Err(self.damaged("a header is cut short"));
                }
                Err(e) => return Err(e),
            };
        }
        let (magic, version) = header.split_at(4);
        match version {
            _ if magic != MAGIC => Err(self.damaged("a nested module does not begin as one")),
            v if v == CORE => Ok(Kind::Module),
            v if v == COMPONENT => Ok(Kind::Component),
            _ => Err(SectionsError::Version),
        }
    }

    fn byte(&mut self, end: u64) -> Result<u8, SectionsError> {
        let mut byte = [0];
        if self.at >= end || self.from.read(&mut byte)? == 0 {
            return Err(self.damaged("it ends before it should"));
        }
        self.at += 1;
        Ok(byte[0])
    }

    /// A number of 32 bits, as WebAssembly writes it.
    fn number(&mut self, end: u64) -> Result<u32, SectionsError> {
        let mut number: u64 = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.byte(end)?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(number).map_err(|_| self.damaged("a length is too long"));
            }
        }
        Err(self.damaged("a length is too long"))
    }

    fn damaged(&self, what: &'static str) -> SectionsError {
        SectionsError::Damaged { what, at: self.at }
    }
}

impl Head {
    /// Where its content begins, in bytes.
    pub fn start(self) -> usize {
        usize::try_from(self.start).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a file is read as: each section's number, what it is part of and its content.
    fn read(bytes: &[u8]) -> Result<Vec<(u8, Kind, Vec<u8>)>, SectionsError> {
        let mut sections = Sections::new(bytes, bytes.len() as u64)?;
        let mut all = Vec::new();
        while let Some(head) = sections.next()? {
            all.push((head.id, head.of, sections.whole(head)?));
        }
        assert_eq!(sections.content()?, ContentHash::of(bytes));
        Ok(all)
    }

    fn assembled(text: &str) -> Vec<u8> {
        wat::parse_str(text).expect("it assembles")
    }

    const COMPONENT: &str = r#"(component (core module $m (memory 1) (data (i32.const 0) "abc"))
        (component $c (core module)) (core instance (instantiate $m)))"#;

    #[test]
    fn sections_are_told_in_their_order_and_nested_modules_are_entered() {
        let all = read(&assembled(COMPONENT)).expect("whole");
        let told: Vec<(u8, Kind)> = all.iter().map(|(id, of, _)| (*id, *of)).collect();
        let within = [(5, Kind::Module), (11, Kind::Module)];
        assert_eq!(told[..2], within);
        assert!(told[2..].contains(&(2, Kind::Component)), "{told:?}");
        assert!(all[1].2.ends_with(b"abc"));
    }

    #[test]
    fn what_is_cut_or_changed_anywhere_ends() {
        let good = assembled(COMPONENT);
        for cut in 0..good.len() {
            // it may end between two sections, and then is whole
            let _ = read(&good[..cut]);
            // and there may be less than there should be
            if let Ok(mut sections) = Sections::new(&good[..cut], good.len() as u64) {
                let mut end = sections.next();
                while let Ok(Some(head)) = end {
                    end = sections.skip(head).and_then(|()| sections.next());
                }
                assert!(end.is_err(), "{cut}");
            }
        }
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                let _ = read(&bad);
            }
        }
    }

    #[test]
    fn what_lies_across_two_pieces_is_found() {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(CORE);
        bytes.push(11);
        let content = [vec![0; PIECE - 15], b"needle".to_vec(), vec![0; PIECE * 2]].concat();
        let mut length = content.len();
        while length > 0x7f {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend(&content);
        let mut sections = Sections::new(&bytes[..], bytes.len() as u64).expect("a header");
        let head = sections.next().expect("whole").expect("one");
        let (mut whole, mut overlapping) = (false, false);
        let finds = |piece: &[u8]| piece.windows(6).any(|w| w == b"needle");
        let looked = sections.overlapping(head, 6, |piece| {
            overlapping |= finds(piece);
            whole |= finds(&piece[piece.len().saturating_sub(PIECE)..]);
        });
        looked.expect("whole");
        assert!(overlapping && !whole, "{overlapping} {whole}");
        assert!(sections.next().expect("whole").is_none());
    }

    #[test]
    fn nesting_and_lengths_have_an_end() {
        let mut nested = Vec::new();
        for _ in 0..DEEPEST + 10 {
            nested.extend(MAGIC);
            nested.extend(super::COMPONENT);
            nested.extend([4, 0xff, 0xff, 0xff, 0xff, 0x0f]);
        }
        // each claims to be as long as can be said
        let read = read(&nested);
        assert!(
            matches!(read, Err(SectionsError::Damaged { .. })),
            "{read:?}"
        );
        let mut sections = Sections::new(nested.as_slice(), 1 << 40).expect("a header");
        let Err(SectionsError::Damaged { .. } | SectionsError::TooLarge(_)) = sections.next()
        else {
            panic!("it nests for ever");
        };
    }
}
