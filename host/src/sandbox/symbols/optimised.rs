//! Whether code was compiled without optimisation: where its parameters live tells.
//!
//! Without optimisation every one has its place in the function's frame, in memory;
//! optimised code keeps next to none there. Seen with Rust 1.95 to 1.101 at every
//! opt-level: 97 of 100 in a frame at 0, below 3 of 100 at 1, 2, 3, s and z.
//! That needs debug information about variables: where there is none, nothing is known.

use super::budget::Counted;
use gimli::{
    AttributeValue, DW_AT_location, DW_OP_fbreg, DW_TAG_formal_parameter, Reader as _, UnitRef,
};

/// As many parameters have to be known.
const ENOUGH: usize = 8;
/// As many entries are looked at: files are as large as a guest likes.
const MAX_ENTRIES: usize = 4 << 20;

/// Where parameters were seen.
#[derive(Default)]
struct Seen {
    in_frame: usize,
    elsewhere: usize,
}

/// Whether the code of this unit's crate is not optimised, so far as is known.
pub(super) fn is_not(unit: &UnitRef<'_, Counted>) -> bool {
    let mut seen = Seen::default();
    seen.look_at(unit);
    // a crate is compiled in pieces, and this one may be small
    if let Some(root) = root(unit).filter(|_| !seen.is_enough()) {
        let mut headers = unit.dwarf.units();
        while let (false, Ok(Some(header))) = (seen.is_enough(), headers.next()) {
            let Ok(other) = unit.dwarf.unit(header) else {
                continue;
            };
            let other = UnitRef::new(unit.dwarf, &other);
            if other.header.offset() != unit.header.offset()
                && self::root(&other).as_deref() == Some(&*root)
            {
                seen.look_at(&other);
            }
        }
    }
    seen.is_enough() && seen.in_frame >= 4 * seen.elsewhere
}

/// The first source of the crate that a unit is a piece of: `src/lib.rs` of `src/lib.rs/@/1b2c`.
fn root(unit: &UnitRef<'_, Counted>) -> Option<Vec<u8>> {
    let name = unit.name.as_ref()?.to_slice().ok()?;
    let end = memchr::memmem::find(&name, b"/@/")?;
    Some(name[..end].to_vec())
}

impl Seen {
    fn is_enough(&self) -> bool {
        self.in_frame + self.elsewhere >= ENOUGH
    }

    fn look_at(&mut self, unit: &UnitRef<'_, Counted>) {
        let mut entries = unit.entries();
        for _ in 0..MAX_ENTRIES {
            let Ok(Some(entry)) = entries.next_dfs() else {
                break;
            };
            if entry.tag() != DW_TAG_formal_parameter {
                continue;
            }
            match entry.attr_value(DW_AT_location) {
                Some(AttributeValue::Exprloc(expression)) => match expression.0.clone().read_u8() {
                    Ok(first) if first == DW_OP_fbreg.0 => self.in_frame += 1,
                    _ => self.elsewhere += 1,
                },
                Some(_) => self.elsewhere += 1,
                None => {}
            }
        }
    }
}
