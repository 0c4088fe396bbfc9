//! What describes a test in memory: which of its words could be what.
//!
//! Nothing is believed of a word that does not hold of it in all tests.

use super::module::Module;
use super::{Candidate, Expectation, NotFound};
use std::collections::HashSet;
use std::ops::Range;
use wasmparser::ValType;

/// No description of a test has more words.
const MOST_WORDS: u32 = 40;
/// No name of a test is longer, in bytes.
const LONGEST_NAME: u32 = 4096;
/// No test expects more of a panic's message, in bytes.
const LONGEST_TEXT: u32 = 64 << 10;
/// Bytes of a word, and of a pointer.
pub const WORD: u32 = 4;
/// So many words are read to find them: for a million tests, fifty times what is needed; well
/// under ten seconds.
const MOST_WORK: u64 = 2_000_000_000;

impl<'a> Module<'a> {
    /// Whether what lies at each of these addresses could describe a test.
    pub(super) fn are_tests(&self, tests: &[u32]) -> bool {
        let words = self.words_of(tests);
        tests.iter().all(|test| test.is_multiple_of(WORD))
            && words
                .clone()
                .any(|word| tests.iter().all(|test| self.name(*test, word).is_some()))
            && words.clone().any(|word| {
                tests
                    .iter()
                    .all(|test| self.function(*test, word).is_some())
            })
    }

    /// The words that a description of a test can have, where none lies over another.
    pub(super) fn words_of(&self, tests: &[u32]) -> Range<u32> {
        let mut sorted = tests.to_vec();
        sorted.sort_unstable();
        let gaps = sorted.windows(2).map(|two| (two[1] - two[0]) / WORD);
        0..gaps.min().unwrap_or(MOST_WORDS).min(MOST_WORDS)
    }

    fn word(&self, test: u32, word: u32) -> Option<u32> {
        self.work.set(self.work.get() + 1);
        self.image.word(test.checked_add(word * WORD)?)
    }

    /// Fails once there is more to look at than is worth it.
    pub(super) fn bounded(&self) -> Result<(), NotFound> {
        match self.work.get() > MOST_WORK {
            true => Err(NotFound::TooMuch),
            false => Ok(()),
        }
    }

    /// The text that a word and the next of a test's point at, if it could be a name.
    fn name(&self, test: u32, word: u32) -> Option<&'a str> {
        let (at, length) = (self.word(test, word)?, self.word(test, word + 1)?);
        if length == 0 || length > LONGEST_NAME {
            return None;
        }
        let text = std::str::from_utf8(self.image.read(at, length)?).ok()?;
        // a path of a function's, as rustc writes it
        let may_have = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '#');
        text.chars().all(may_have).then_some(text)
    }

    /// The place in the table that a word of a test's is, and the type of what is there, if that
    /// could be a test's function.
    fn function(&self, test: u32, word: u32) -> Option<(u32, u32)> {
        let place = self.word(test, word)?;
        let function = *self.table.get(&place)? as usize;
        let ty = self.type_of(function)?;
        let is_one =
            function >= self.imported && ty.params() == [ValType::I32] && ty.results().is_empty();
        is_one.then(|| (place, self.functions[function]))
    }

    /// For each word by which all tests have a name of their own: these.
    pub(super) fn names(&self, tests: &[u32], words: Range<u32>) -> Vec<Candidate<String>> {
        let of = |word: u32| -> Option<Vec<&str>> {
            let names: Vec<&str> = tests
                .iter()
                .map(|test| self.name(*test, word))
                .collect::<Option<_>>()?;
            let each: HashSet<&str> = names.iter().copied().collect();
            (each.len() == names.len()).then_some(names)
        };
        let found = words.filter_map(|word| {
            let of_tests = of(word)?.into_iter().map(str::to_owned).collect();
            Some(Candidate { word, of_tests })
        });
        found.collect()
    }

    /// For each word that tells tests apart as an enum of three does: what it says.
    pub(super) fn expectations(
        &self,
        tests: &[u32],
        words: Range<u32>,
    ) -> Vec<Candidate<Expectation>> {
        let of = |test: u32, word: u32| {
            let tag = self.word(test, word).filter(|tag| *tag < 3)?;
            Some(Expectation {
                tag,
                text: self.text(test, word + 1),
            })
        };
        let all = |word: u32| tests.iter().map(|test| of(*test, word)).collect();
        let found = words.filter_map(|word| {
            let of_tests: Option<Vec<Expectation>> = all(word);
            let of_tests = of_tests?;
            let differ = of_tests.iter().any(|e| e.tag != of_tests[0].tag);
            (differ || of_tests[0].tag > 0).then_some(Candidate { word, of_tests })
        });
        found.collect()
    }

    /// The text that a word and the next of a test's point at.
    fn text(&self, test: u32, word: u32) -> Option<String> {
        let (at, length) = (self.word(test, word)?, self.word(test, word + 1)?);
        match (at, length) {
            (0, _) => None,
            (_, 0) => Some(String::new()),
            (_, length) if length > LONGEST_TEXT => None,
            _ => Some(
                std::str::from_utf8(self.image.read(at, length)?)
                    .ok()?
                    .to_owned(),
            ),
        }
    }

    /// For each word that could be the function in all tests: these, by their places in the table; and their type.
    pub(super) fn test_functions(
        &self,
        tests: &[u32],
        words: Range<u32>,
    ) -> Result<(Vec<Candidate<u32>>, u32), NotFound> {
        let mut types = HashSet::new();
        let mut found = Vec::new();
        for word in words {
            let of_tests = tests.iter().map(|test| self.function(*test, word));
            let Some(of_tests) = of_tests.collect::<Option<Vec<(u32, u32)>>>() else {
                continue;
            };
            types.extend(of_tests.iter().map(|(_, ty)| *ty));
            let of_tests = of_tests.into_iter().map(|(place, _)| place).collect();
            found.push(Candidate { word, of_tests });
        }
        // one call has to do for all
        match (types.into_iter().next(), found.is_empty()) {
            (Some(ty), false) => Ok((found, ty)),
            _ => Err(NotFound::NoTests),
        }
    }
}
