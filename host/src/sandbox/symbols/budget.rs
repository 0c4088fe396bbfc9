//! What may be spent on the debug information of a module: it is a guest's, and read after its
//! test has ended, outside of every limit of that.
//!
//! Everything that gimli and addr2line do with debug information they do by reading it, so
//! [`Counted`] stands between: it counts what is read, and once that is too much reads no more.
//! Ranges of 60,000 units that share one list, references in circles, programs of lines without
//! an end: each ends there. The count is of work and not of time, so that the same module has
//! the same names on any machine. Weights say how much memory comes of a byte that is read.

use gimli::{Error, LittleEndian, Reader, ReaderOffsetId, Result};
use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;

/// What bytes are read with.
type Slice = gimli::EndianRcSlice<LittleEndian>;

/// What may be spent on one context of a module. Honest ones of 100 MB of debug information
/// spend a quarter of it before their first name, and some percent on each further unit.
const MOST: u64 = 256 << 20;
/// How deep the stack may grow beyond where reading began, in bytes: functions that are inlined
/// in each other are read by recursion. The thread that runs guests has 5 MiB at least.
const DEEPEST: usize = 2 << 20;

/// What was spent.
#[derive(Debug, Default)]
pub(super) struct Budget {
    spent: Cell<u64>,
    /// Where the stack stood when reading began; 0 when nobody reads.
    stack: Cell<usize>,
}

impl Budget {
    /// Whether there is nothing left.
    pub(super) fn is_spent(&self) -> bool {
        self.spent.get() > MOST
    }

    /// What was spent until now.
    pub(super) fn spent(&self) -> u64 {
        self.spent.get()
    }

    /// Spends this; whether it was there.
    pub(super) fn spend(&self, much: u64) -> bool {
        self.spent.set(self.spent.get().saturating_add(much));
        !self.is_spent()
    }

    /// Reads from here on; the stack is looked at from this call's place.
    pub(super) fn begin(&self) {
        self.stack.set(here());
    }

    /// Nobody reads any more, or from another place.
    pub(super) fn end(&self) {
        self.stack.set(0);
    }

    fn read(&self, much: u64) -> Result<()> {
        let began = self.stack.get();
        if began != 0 && began.abs_diff(here()) > DEEPEST {
            self.spend(MOST);
        }
        match self.spend(much) {
            true => Ok(()),
            false => Err(Error::Io),
        }
    }
}

/// About where the stack stands.
#[inline(always)]
fn here() -> usize {
    let place = 0_u8;
    (&raw const place).addr()
}

/// Bytes that are read on a budget.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    bytes: Slice,
    budget: Rc<Budget>,
    weight: u64,
}

impl Counted {
    /// The bytes of a section of this name.
    pub(super) fn new(section: &str, bytes: Rc<[u8]>, budget: Rc<Budget>) -> Counted {
        Counted {
            bytes: Slice::new(bytes, LittleEndian),
            budget,
            weight: match section {
                // a range or a line comes of two bytes, and takes 32
                ".debug_ranges" | ".debug_rnglists" | ".debug_aranges" | ".debug_line" => 8,
                ".debug_info" | ".debug_abbrev" => 4,
                _ => 1,
            },
        }
    }

    fn spend(&self, bytes: usize) -> Result<()> {
        self.budget.read(self.weight * (bytes as u64).max(1))
    }
}

impl Reader for Counted {
    type Endian = LittleEndian;
    type Offset = usize;

    fn endian(&self) -> LittleEndian {
        LittleEndian
    }

    fn len(&self) -> usize {
        Reader::len(&self.bytes)
    }

    fn empty(&mut self) {
        self.bytes.empty();
    }

    fn truncate(&mut self, len: usize) -> Result<()> {
        self.bytes.truncate(len)
    }

    fn offset_from(&self, base: &Self) -> usize {
        Reader::offset_from(&self.bytes, &base.bytes)
    }

    fn offset_id(&self) -> ReaderOffsetId {
        self.bytes.offset_id()
    }

    fn lookup_offset_id(&self, id: ReaderOffsetId) -> Option<usize> {
        self.bytes.lookup_offset_id(id)
    }

    fn find(&self, byte: u8) -> Result<usize> {
        let found = Reader::find(&self.bytes, byte);
        let looked_at = match &found {
            Ok(at) => *at,
            Err(_) => Reader::len(&self.bytes),
        };
        self.spend(looked_at)?;
        found
    }

    fn skip(&mut self, len: usize) -> Result<()> {
        // what is passed over costs no more than one step
        self.spend(1)?;
        self.bytes.skip(len)
    }

    fn split(&mut self, len: usize) -> Result<Self> {
        self.spend(1)?;
        Ok(Counted {
            bytes: self.bytes.split(len)?,
            budget: self.budget.clone(),
            weight: self.weight,
        })
    }

    fn to_slice(&self) -> Result<Cow<'_, [u8]>> {
        self.spend(Reader::len(&self.bytes))?;
        self.bytes.to_slice()
    }

    fn to_string(&self) -> Result<Cow<'_, str>> {
        self.spend(Reader::len(&self.bytes))?;
        Reader::to_string(&self.bytes)
    }

    fn to_string_lossy(&self) -> Result<Cow<'_, str>> {
        self.spend(Reader::len(&self.bytes))?;
        Reader::to_string_lossy(&self.bytes)
    }

    fn read_slice(&mut self, buf: &mut [u8]) -> Result<()> {
        self.spend(buf.len())?;
        self.bytes.read_slice(buf)
    }
}

/// Attributes without a byte of their own that an entry may have: flags, constants. Reading an
/// entry costs a step for each, which no reader sees.
const MOST_SILENT: usize = 64;

/// Whether no kind of entry in this table of abbreviations has more attributes than it has bytes
/// to pay for.
///
/// # Errors
/// If it is none.
pub(super) fn are_paid_for(mut table: Counted) -> Result<bool> {
    loop {
        if table.read_uleb128()? == 0 {
            return Ok(true);
        }
        let _tag = table.read_uleb128()?;
        let _has_children = table.read_u8()?;
        let mut silent = 0;
        loop {
            let (name, form) = (table.read_uleb128()?, table.read_uleb128_u16()?);
            if (name, form) == (0, 0) {
                break;
            }
            match gimli::DwForm(form) {
                gimli::DW_FORM_implicit_const => {
                    table.read_sleb128()?;
                    silent += 1;
                }
                gimli::DW_FORM_flag_present => silent += 1,
                _ => {}
            }
        }
        if silent > MOST_SILENT {
            return Ok(false);
        }
    }
}
