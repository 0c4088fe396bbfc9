//! Debug information that takes more to read than there is of it.

use super::*;

/// A little of what it takes to write debug information.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    fn u16(mut self, value: u16) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn all(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// With its own length in front.
    fn sized(self) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).expect("it is small");
        Bytes::default().u32(length).all(&self.0).0
    }
}

/// A unit with these entries, whose abbreviations begin at 0.
fn unit(entries: &[u8]) -> Vec<u8> {
    // version 4, addresses of 4 bytes
    Bytes::default().u16(4).u32(0).u8(4).all(entries).sized()
}

const COMPILE_UNIT: u8 = 0x11;
const SUBPROGRAM: u8 = 0x2e;
const INLINED: u8 = 0x1d;
const NAME: u8 = 0x03;
const STMT_LIST: u8 = 0x10;
const LOW_PC: u8 = 0x11;
const HIGH_PC: u8 = 0x12;
const ORIGIN: u8 = 0x31;
const EXTERNAL: u8 = 0x3f;
const RANGES: u8 = 0x55;
const ADDR: u8 = 0x01;
const DATA4: u8 = 0x06;
const STRING: u8 = 0x08;
const REF4: u8 = 0x13;
const SEC_OFFSET: u8 = 0x17;
const FLAG_PRESENT: u8 = 0x19;

/// A kind of entry: its code, tag, and attributes with their forms.
fn kind(code: u8, tag: u8, children: bool, attributes: &[[u8; 2]]) -> Vec<u8> {
    let mut kind = vec![code, tag, u8::from(children)];
    kind.extend(attributes.iter().flatten());
    kind.extend([0, 0]);
    kind
}

fn debug(sections: &[(&str, &[u8])]) -> Debug {
    let mut debug = Debug::default();
    for (name, bytes) in sections {
        debug.add(name, bytes);
    }
    debug
}

/// That it is given up at once, and that no later question costs anything.
fn is_given_up(mut debug: Debug) {
    for address in [5, 6, 7] {
        debug.begin();
        assert!(debug.at(address, Some("f")).is_empty());
        assert!(debug.gave_up());
    }
    assert_eq!(debug.made, 1);
}

#[test]
fn an_honest_function_has_its_name() {
    let abbrev = [
        kind(1, COMPILE_UNIT, true, &[[LOW_PC, ADDR], [HIGH_PC, DATA4]]),
        kind(
            2,
            SUBPROGRAM,
            false,
            &[[NAME, STRING], [LOW_PC, ADDR], [HIGH_PC, DATA4]],
        ),
    ]
    .concat();
    let info = Bytes::default().u8(1).u32(0).u32(100);
    let info = info.u8(2).all(b"f\0").u32(4).u32(4).u8(0);
    let mut debug = debug(&[(".debug_abbrev", &abbrev), (".debug_info", &unit(&info.0))]);
    let found = debug.at(5, None);
    assert_eq!(found, [("f".to_owned(), None)]);
    assert!(!debug.gave_up());
}

#[test]
fn many_units_that_share_many_ranges_are_given_up() {
    let abbrev = kind(1, COMPILE_UNIT, false, &[[RANGES, SEC_OFFSET]]);
    let of_unit = unit(&Bytes::default().u8(1).u32(0).0);
    let ranges = Bytes::default().u32(1).u32(1000).0.repeat(60_000);
    is_given_up(debug(&[
        (".debug_abbrev", &abbrev),
        (".debug_info", &of_unit.repeat(60_000)),
        (".debug_ranges", &[ranges, vec![0; 8]].concat()),
    ]));
}

#[test]
fn many_units_that_share_a_long_program_of_lines_are_given_up() {
    let abbrev = kind(1, COMPILE_UNIT, false, &[[STMT_LIST, SEC_OFFSET]]);
    let of_unit = unit(&Bytes::default().u8(1).u32(0).0);
    // a header with no folder and no file, and then a line for each byte
    let header = Bytes::default().all(&[1, 1, 1, 0, 1, 1, 0, 0]);
    let program = Bytes::default()
        .u16(4)
        .all(&header.sized())
        .all(&vec![0x20; 1 << 20])
        .sized();
    is_given_up(debug(&[
        (".debug_abbrev", &abbrev),
        (".debug_info", &of_unit.repeat(2000)),
        (".debug_line", &program),
    ]));
}

#[test]
fn entries_with_many_attributes_that_have_no_bytes_are_given_up() {
    let silent = vec![[EXTERNAL, FLAG_PRESENT]; 1 << 20];
    let abbrev = [
        kind(1, COMPILE_UNIT, true, &[[LOW_PC, ADDR], [HIGH_PC, DATA4]]),
        kind(2, SUBPROGRAM, false, &silent),
    ]
    .concat();
    let info = Bytes::default()
        .u8(1)
        .u32(0)
        .u32(100)
        .all(&vec![2; 1 << 20]);
    let sections = [(".debug_abbrev", &*abbrev), (".debug_info", &unit(&info.0))];
    is_given_up(debug(&sections));
}

#[test]
fn functions_that_are_inlined_in_each_other_without_end_leave_the_stack_alone() {
    let range = [[LOW_PC, ADDR], [HIGH_PC, DATA4]];
    let abbrev = [
        kind(1, COMPILE_UNIT, true, &range),
        kind(2, SUBPROGRAM, true, &range),
        kind(3, INLINED, true, &[]),
    ]
    .concat();
    let info = Bytes::default().u8(1).u32(0).u32(100).u8(2).u32(0).u32(100);
    let info = info.all(&vec![3; 1 << 20]);
    let asked = std::thread::Builder::new()
        .stack_size(5 << 20)
        .spawn(move || {
            let sections = [(".debug_abbrev", &*abbrev), (".debug_info", &unit(&info.0))];
            is_given_up(debug(&sections));
        });
    asked.expect("it starts").join().expect("no panic");
}

#[test]
fn references_in_circles_end() {
    let abbrev = [
        kind(1, COMPILE_UNIT, true, &[[LOW_PC, ADDR], [HIGH_PC, DATA4]]),
        kind(
            2,
            SUBPROGRAM,
            false,
            &[[LOW_PC, ADDR], [HIGH_PC, DATA4], [ORIGIN, REF4]],
        ),
    ]
    .concat();
    // the second entry lies at 20 in its unit: it is the origin of itself
    let info = Bytes::default().u8(1).u32(0).u32(100);
    let info = info.u8(2).u32(4).u32(4).u32(20).u8(0);
    let mut debug = debug(&[(".debug_abbrev", &abbrev), (".debug_info", &unit(&info.0))]);
    assert_eq!(debug.at(5, Some("f")), [("f".to_owned(), None)]);
    assert!(!debug.gave_up());
}

#[test]
fn a_context_that_has_served_many_is_made_again_and_not_for_ever() {
    let mut debug = debug(&[]);
    let range = [[LOW_PC, ADDR], [HIGH_PC, DATA4]];
    debug.add(".debug_abbrev", &kind(1, COMPILE_UNIT, false, &range));
    debug.add(
        ".debug_info",
        &unit(&Bytes::default().u8(1).u32(0).u32(100).0),
    );
    for made in 1..=MOST_CONTEXTS {
        debug.begin();
        assert!(debug.ask(|_| ()).is_some());
        assert_eq!(debug.made, made);
        let State::Ready(ready) = &mut debug.state else {
            panic!("it is ready");
        };
        ready.asked += ENOUGH;
        ready.budget.spend(u64::MAX);
        // for this stack it is not made twice
        debug.made_for_this = made == MOST_CONTEXTS;
    }
    assert!(debug.ask(|_| ()).is_none());
    assert!(debug.gave_up());
}
