//! How far a module's shared memories may grow: wasmtime asks nobody when they do.
//!
//! So all that they may ever have counts as taken from the start. What wasmtime tells of a
//! compiled module does not name them; the file does. Read only for modules that no slot of a
//! pool takes, as is so of every one with such a memory.

use wasmparser::{MemoryType, Parser, Payload, Result};

/// By how many bytes the shared memories of a module, or of those in a component, may grow
/// beyond what they begin with.
///
/// # Errors
/// If the file is no module.
pub fn growth(bytes: &[u8]) -> Result<u64> {
    let mut all = 0_u64;
    for payload in Parser::new(0).parse_all(bytes) {
        if let Payload::MemorySection(section) = payload? {
            for memory in section {
                all = all.saturating_add(growth_of(&memory?));
            }
        }
    }
    Ok(all)
}

fn growth_of(memory: &MemoryType) -> u64 {
    const PAGE_LOG2: u32 = 16;
    if !memory.shared {
        return 0;
    }
    let pages = match memory.maximum {
        Some(most) => most.saturating_sub(memory.initial),
        None => u64::MAX,
    };
    let page = 1 << memory.page_size_log2.unwrap_or(PAGE_LOG2);
    pages.saturating_mul(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_memories_are_found_wherever_they_are_and_others_do_not_count() {
        let growth = |text| growth(&wat::parse_str(text).expect("it assembles")).expect("a module");
        assert_eq!(growth("(module (memory 1 9))"), 0);
        assert_eq!(
            growth("(module (memory 1 3 shared) (memory 0 1 shared))"),
            3 << 16
        );
        let inside = "(component (core module (memory 0 65536 shared)) (core module (memory 7)))";
        assert_eq!(growth(inside), 4 << 30);
    }
}
