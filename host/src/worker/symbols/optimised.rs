//! Whether code was compiled without optimisation: where its parameters live tells.
//!
//! Without optimisation every one has its place in the function's frame, in memory;
//! optimised code keeps next to none there. Seen with Rust 1.95 to 1.101 at every
//! opt-level: 97 of 100 in a frame at 0, below 3 of 100 at 1, 2, 3, s and z.
//! That needs debug information about variables: where there is none, nothing is known.

use super::Slice;
use gimli::{
    AttributeValue, DW_AT_location, DW_OP_fbreg, DW_TAG_formal_parameter, Reader as _, UnitRef,
};

/// As many parameters have to be known.
const ENOUGH: usize = 8;
/// As many entries are looked at: files are as large as a guest likes.
const MAX_ENTRIES: usize = 4 << 20;

/// Whether the code of this unit is not optimised, so far as is known.
pub(super) fn is_not(unit: &UnitRef<'_, Slice>) -> bool {
    let (mut in_frame, mut elsewhere) = (0, 0);
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
                Ok(first) if first == DW_OP_fbreg.0 => in_frame += 1,
                _ => elsewhere += 1,
            },
            Some(_) => elsewhere += 1,
            None => {}
        }
    }
    in_frame >= ENOUGH && in_frame >= 4 * elsewhere
}
