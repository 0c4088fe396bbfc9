//! Real test binaries that were changed, each run both ways: never a pass that libtest would not
//! give.
//!
//! Half of the changes are in the data, where what describes the tests lies; the others anywhere. What
//! a change makes of a binary's tests is the same both ways, since it is the same code; where it is
//! libtest that was changed, what is called past it may do better, and is looked at one by one.

use super::{Run, ran};
use crate::hostile::mutations::Random;
use anyhow::Result;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What came of changed binaries.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Those whose tests were called directly, or not; and those that were refused.
    direct: usize,
    plain: usize,
    refused: usize,
    /// Tests compared.
    compared: usize,
    /// Passed directly and not through libtest, with the number of the change.
    wrong: Vec<String>,
    /// The other way round.
    worse: Vec<String>,
    /// Those of which libtest, which was changed, tells no verdict.
    untold: Vec<String>,
}

/// Changes binaries so many times, and runs each both ways.
///
/// # Errors
/// If a file cannot be written or a run not started.
pub(super) fn campaign(
    wasmtest: &Path,
    binaries: &[PathBuf],
    folder: &Path,
    number: u64,
) -> Result<Tally> {
    let folder = folder.join("mutated");
    std::fs::create_dir_all(&folder)?;
    let mut tally = Tally::default();
    for number in 0..number {
        let mut random = Random::of(1, number);
        let original = &binaries[random.below(binaries.len())];
        let mut bytes = std::fs::read(original)?;
        let area = match (random.below(2), data(&bytes)) {
            (0, Some(data)) => data,
            _ => 8..bytes.len(),
        };
        for _ in 0..=random.below(3) {
            let at = area.start + random.below(area.len());
            bytes[at] ^= 1 << random.below(8);
        }
        let file = folder.join("mutant.wasm");
        std::fs::write(&file, &bytes)?;
        let run = |how: &[&str]| ran(wasmtest, std::slice::from_ref(&file), &folder, how, "2");
        let wrong = tally.wrong.len() + tally.worse.len();
        match (run(super::WINCH), run(super::PLAIN)) {
            (Ok(direct), Ok(plain)) => tally.compare(number, &direct, &plain),
            // told neither way what it holds
            _ => tally.refused += 1,
        }
        if tally.wrong.len() + tally.worse.len() > wrong {
            std::fs::copy(&file, folder.join(format!("mutant-{number}.wasm")))?;
        }
    }
    Ok(tally)
}

impl Tally {
    fn compare(&mut self, number: u64, direct: &Run, plain: &Run) {
        match direct.calls.values().any(Option::is_none) {
            true => self.direct += 1,
            false => self.plain += 1,
        }
        for (test, ended) in &direct.ends {
            let Some(other) = plain.ends.get(test) else {
                continue;
            };
            if other.should_panic {
                continue;
            }
            self.compared += 1;
            let of = || {
                format!(
                    "{number} {}: {} directly, {} through libtest",
                    test.1, ended.outcome, other.outcome
                )
            };
            match (ended.outcome == "passed", other.outcome == "passed") {
                // its words or its own code were changed, and not the test
                (true, false) if other.outcome == "errored" => self.untold.push(of()),
                (true, false) => self.wrong.push(of()),
                (false, true) => self.worse.push(of()),
                _ => {}
            }
        }
    }

    /// What there is to say, and whether all holds.
    pub(super) fn told(&self) -> (String, bool) {
        let mut told = format!(
            "{} changed binaries were called directly, {} through libtest, {} refused; {} tests compared\n",
            self.direct, self.plain, self.refused, self.compared
        );
        for one in self.wrong.iter().chain(&self.worse) {
            told.push_str(&format!("DIFFERS: change {one}\n"));
        }
        for one in &self.untold {
            told.push_str(&format!("libtest tells no verdict: change {one}\n"));
        }
        (told, self.wrong.is_empty() && self.worse.is_empty())
    }
}

/// Where a module's data lies.
fn data(bytes: &[u8]) -> Option<Range<usize>> {
    const DATA: u8 = 11;
    let mut at = 8;
    while at < bytes.len() {
        let id = bytes[at];
        let (mut size, mut shift) = (0_usize, 0);
        loop {
            at += 1;
            let byte = *bytes.get(at)?;
            size |= usize::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let content = at + 1..(at + 1).checked_add(size)?;
        if id == DATA {
            return (content.end <= bytes.len()).then_some(content);
        }
        at = content.end;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::data;

    #[test]
    fn the_data_is_found() {
        let text = r#"(module (memory 1) (data (i32.const 0) "here") (func))"#;
        let bytes = wat::parse_str(text).expect("it assembles");
        let found = data(&bytes).expect("there is some");
        assert!(bytes[found].ends_with(b"here"));
        assert_eq!(data(b"\0asm\x01\0\0\0"), None);
        assert_eq!(data(b"\0asm\x01\0\0\0\x0b\xff\xff\x03"), None);
    }
}
