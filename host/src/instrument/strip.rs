//! Drops what execution does not need: debug information, names, notes of tools.
//!
//! Takes a module's or component's bytes and gives the same without its custom
//! sections (a debug binary of 11 MB is mostly DWARF), at every level of
//! nesting. `metadata.code.*` stays, since compilers read
//! it. A file that does not parse is given back unchanged: whoever compiles it
//! will say what is wrong with it.

use super::{OffsetMap, PassOutput};
use std::borrow::Cow;

/// The pass that leaves out what is not compiled.
pub fn strip(bytes: &[u8]) -> PassOutput<'_> {
    let mut out = Vec::with_capacity(bytes.len() / 2);
    let mut map = OffsetMap::default();
    let (bytes, offsets) = match strip_into(bytes, &mut out, &mut map, 0) {
        Some(()) => (Cow::Owned(out), map),
        None => (Cow::Borrowed(bytes), OffsetMap::default()),
    };
    PassOutput {
        bytes,
        offsets,
        facts: (),
    }
}

/// Components nest modules and components; wasmtime itself refuses deep nesting.
const MAX_DEPTH: usize = 32;
const HEADER: usize = 8;
const CUSTOM: u8 = 0;
/// In a component: a core module, a component.
const NESTED: [u8; 2] = [1, 4];

fn strip_into(bytes: &[u8], out: &mut Vec<u8>, map: &mut OffsetMap, depth: usize) -> Option<()> {
    if depth > MAX_DEPTH || bytes.len() < HEADER || !bytes.starts_with(b"\0asm") {
        return None;
    }
    let component = bytes[4..HEADER] == [0x0d, 0, 1, 0];
    out.extend_from_slice(&bytes[..HEADER]);
    let mut at = HEADER;
    while at < bytes.len() {
        let id = bytes[at];
        let (size, leb) = leb128(&bytes[at + 1..])?;
        let start = at + 1 + leb;
        let end = start.checked_add(size)?;
        let body = bytes.get(start..end)?;
        if id == CUSTOM && !is_kept(body)? {
            // dropped
        } else if component && NESTED.contains(&id) {
            let mut inner = Vec::new();
            let mut inner_map = OffsetMap::default();
            strip_into(body, &mut inner, &mut inner_map, depth + 1)?;
            map.put_in(out.len(), at);
            out.push(id);
            write_leb128(out, inner.len());
            map.nest(&inner_map, out.len(), start);
            out.extend_from_slice(&inner);
        } else {
            map.kept(out.len(), at);
            out.extend_from_slice(&bytes[at..end]);
        }
        at = end;
    }
    Some(())
}

fn is_kept(custom: &[u8]) -> Option<bool> {
    let (length, leb) = leb128(custom)?;
    let name = custom.get(leb..leb.checked_add(length)?)?;
    Some(name.starts_with(b"metadata.code."))
}

/// An unsigned number of at most 32 bits, and how many bytes it took.
fn leb128(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0u64;
    for (i, byte) in bytes.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, i + 1));
        }
    }
    None
}

fn write_leb128(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(sections: &[&[u8]]) -> Vec<u8> {
        [b"\0asm\x01\0\0\0".as_slice(), &sections.concat()].concat()
    }

    fn custom(name: &str, body: &[u8]) -> Vec<u8> {
        let mut inner = vec![name.len() as u8];
        inner.extend_from_slice(name.as_bytes());
        inner.extend_from_slice(body);
        let mut section = vec![CUSTOM, inner.len() as u8];
        section.extend_from_slice(&inner);
        section
    }
    const TYPES: &[u8] = &[1, 1, 0];

    #[test]
    fn custom_sections_go_and_offsets_lead_back() {
        let debug = custom(".debug_info", &[7; 40]);
        let hint = custom("metadata.code.branch_hint", &[0]);
        let bytes = module(&[&debug, TYPES, &custom("name", b"x"), &hint]);
        let PassOutput {
            bytes: stripped,
            offsets: map,
            ..
        } = strip(&bytes);
        assert_eq!(&*stripped, module(&[TYPES, &hint]).as_slice());
        assert_eq!(map.original(0), 0);
        assert_eq!(map.original(8), 8 + debug.len());
        assert_eq!(bytes[map.original(9)], TYPES[1]);
    }

    #[test]
    fn nested_modules_are_stripped_and_their_offsets_lead_back() {
        let inner = module(&[&custom(".debug_line", &[1; 200][..100]), TYPES]);
        let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
        bytes.push(NESTED[0]);
        write_leb128(&mut bytes, inner.len());
        let at = bytes.len();
        bytes.extend_from_slice(&inner);
        let PassOutput {
            bytes: stripped,
            offsets: map,
            ..
        } = strip(&bytes);
        let want = module(&[TYPES]);
        assert_eq!(&stripped[10..], want.as_slice());
        // the type section of the nested module
        assert_eq!(map.original(10 + 8), at + inner.len() - TYPES.len());
    }

    #[test]
    fn what_does_not_parse_is_given_back_unchanged() {
        for bad in [&b"\0asm\x01\0\0\0\0\xff\xff\xff\xff\xff"[..], b"junk"] {
            let same = strip(bad).bytes;
            assert_eq!(&*same, bad);
        }
    }
}
