//! Where bytes that a pass gave lay before it: one map for all passes, and for one after the other.
//!
//! A pass says of each run of its bytes, in their order, whether it was kept or is new; what
//! is new leads to the place where it was put in, or to the function that it stands for. Maps
//! compose: that of the whole way leads from what is compiled to the file of the user's. Exact
//! for what lay in the code; knows nothing of what the bytes mean.

use serde::{Deserialize, Serialize};

/// Leads from offsets in what a pass gave back to those in what it was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetMap {
    /// Sorted by where they begin; what lies before the first has not moved.
    runs: Vec<Run>,
}

/// A run of bytes, which ends where the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    #[serde(rename = "a")]
    at: usize,
    #[serde(rename = "o")]
    original: usize,
    #[serde(rename = "k")]
    kind: RunKind,
    /// The function of the original that it stands for, if its own is not in there.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    function: Option<u32>,
}

/// What a run of bytes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum RunKind {
    /// It is in the original, byte by byte.
    #[serde(rename = "k")]
    Kept,
    /// There is nothing like it in the original: all of it leads to one place.
    #[serde(rename = "n")]
    New,
}

impl Run {
    fn original(&self, offset: usize) -> usize {
        match self.kind {
            // a map that was kept is believed to be of its module, not to be one
            RunKind::Kept => offset.wrapping_sub(self.at).wrapping_add(self.original),
            RunKind::New => self.original,
        }
    }

    /// Whether what comes after `self` only goes on with it.
    fn goes_on(&self, next: &Run) -> bool {
        self.kind == next.kind
            && self.function == next.function
            && self.original(next.at) == next.original
    }
}

/// What lies before the first run.
const UNMOVED: Run = Run {
    at: 0,
    original: 0,
    kind: RunKind::Kept,
    function: None,
};

impl OffsetMap {
    /// From here on, bytes are what lay there in the original.
    pub(super) fn kept(&mut self, at: usize, original: usize) {
        self.push(Run {
            at,
            original,
            kind: RunKind::Kept,
            function: None,
        });
    }

    /// From here on, bytes are new; they were put in at this place of the original.
    pub(super) fn put_in(&mut self, at: usize, original: usize) {
        self.push(Run {
            at,
            original,
            kind: RunKind::New,
            function: None,
        });
    }

    /// From here on, bytes are of an added function, which stands for one of the original.
    pub(super) fn added(&mut self, at: usize, original: usize, kind: RunKind, function: u32) {
        self.push(Run {
            at,
            original,
            kind,
            function: Some(function),
        });
    }

    /// From here on, bytes are what another pass made of what lay there in the original.
    pub(super) fn nest(&mut self, inner: &OffsetMap, at: usize, original: usize) {
        self.kept(at, original);
        for run in &inner.runs {
            self.push(Run {
                at: run.at + at,
                original: run.original + original,
                ..*run
            });
        }
    }

    fn push(&mut self, run: Run) {
        debug_assert!(self.runs.last().is_none_or(|last| last.at <= run.at));
        // nothing lies in one that ends where it begins
        self.runs.pop_if(|last| last.at == run.at);
        if !self.runs.last().unwrap_or(&UNMOVED).goes_on(&run) {
            self.runs.push(run);
        }
    }

    /// The run in which an offset lies.
    fn run(&self, offset: usize) -> &Run {
        match self.runs.partition_point(|run| run.at <= offset) {
            0 => &UNMOVED,
            n => &self.runs[n - 1],
        }
    }

    /// Where in the original something lay, or what it stands for.
    pub fn original(&self, offset: usize) -> usize {
        self.run(offset).original(offset)
    }

    /// Which function of the original one is, or stands for, of whose code this offset is.
    pub fn function(&self, offset: usize, function: u32) -> u32 {
        self.run(offset).function.unwrap_or(function)
    }

    /// The map of this pass and a later one, which was given what this one gave.
    #[must_use]
    pub fn then(&self, later: &OffsetMap) -> OffsetMap {
        let mut whole = OffsetMap::default();
        let runs = std::iter::once(&UNMOVED).chain(&later.runs);
        let ends = later.runs.iter().map(|run| run.at);
        for (run, end) in runs.zip(ends.chain([usize::MAX])) {
            if run.at == end {
                continue;
            }
            let stands_for = |before: &Run| before.function.or(run.function);
            let first = self.run(run.original);
            whole.push(Run {
                at: run.at,
                original: first.original(run.original),
                kind: match run.kind {
                    RunKind::Kept => first.kind,
                    RunKind::New => RunKind::New,
                },
                function: match run.kind {
                    // what is new and stands for nothing is not what lies where it was put in
                    RunKind::New => run.function.and_then(|_| stands_for(first)),
                    RunKind::Kept => stands_for(first),
                },
            });
            if run.kind == RunKind::New {
                continue;
            }
            // runs of before that begin within it
            let last = run.original.saturating_add(end - run.at);
            let from = self.runs.partition_point(|r| r.at <= run.original);
            let to = self.runs.partition_point(|r| r.at < last);
            for before in &self.runs[from..to.max(from)] {
                whole.push(Run {
                    at: run.at + (before.at - run.original),
                    function: stands_for(before),
                    ..*before
                });
            }
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What lay before, in, between and after three runs: 10 bytes dropped, 5 put in, 4 bytes
    /// copied from elsewhere for an added function.
    fn moved() -> OffsetMap {
        let mut map = OffsetMap::default();
        map.kept(20, 30);
        map.put_in(40, 50);
        map.kept(45, 50);
        map.added(60, 32, RunKind::Kept, 7);
        map.added(64, 32, RunKind::New, 8);
        map
    }

    #[test]
    fn what_lies_before_in_and_after_what_moved_leads_back() {
        let map = moved();
        for (offset, original) in [
            (0, 0),
            (19, 19),
            (20, 30),
            (39, 49),
            (40, 50),
            (44, 50),
            (45, 50),
            (59, 64),
            (60, 32),
            (63, 35),
            (64, 32),
            (1000, 32),
        ] {
            assert_eq!(map.original(offset), original, "{offset}");
        }
        assert_eq!(map.function(59, 3), 3);
        assert_eq!(map.function(60, 3), 7);
        assert_eq!(map.function(64, 3), 8);
    }

    #[test]
    fn a_map_of_two_passes_is_that_of_one_after_the_other() {
        let mut other = OffsetMap::default();
        other.put_in(3, 3);
        other.kept(8, 3);
        other.kept(30, 38);
        other.put_in(50, 61);
        other.added(52, 62, RunKind::New, 2);
        // a copy of what spans two runs of before, one of them a copy itself
        other.added(54, 55, RunKind::Kept, 4);
        other.kept(66, 10);
        for (first, second) in [(moved(), other.clone()), (other.clone(), moved())] {
            let both = first.then(&second);
            for offset in 0..200 {
                let between = second.original(offset);
                assert_eq!(both.original(offset), first.original(between), "{offset}");
                let new = second.run(offset).kind == RunKind::New;
                let function = match second.run(offset).function {
                    None if new => 9,
                    _ => first.function(between, second.function(offset, 9)),
                };
                assert_eq!(both.function(offset, 9), function, "{offset}");
            }
        }
    }

    #[test]
    fn nothing_is_written_down_twice_and_nothing_of_what_has_not_moved() {
        let mut map = OffsetMap::default();
        map.kept(0, 0);
        map.kept(10, 10);
        assert_eq!(map, OffsetMap::default());
        map.kept(20, 30);
        map.put_in(25, 35);
        map.kept(25, 35);
        map.kept(40, 50);
        assert_eq!(map.runs.len(), 1);
        assert_eq!(map.then(&OffsetMap::default()), map);
        assert_eq!(OffsetMap::default().then(&map), map);
    }

    #[test]
    fn of_what_lies_in_another_file_all_has_moved_with_it() {
        let mut outer = OffsetMap::default();
        outer.nest(&moved(), 100, 1000);
        outer.kept(200, 2000);
        assert_eq!(outer.original(99), 99);
        for offset in 0..100 {
            let inside = moved();
            assert_eq!(outer.original(100 + offset), 1000 + inside.original(offset));
            assert_eq!(
                outer.function(100 + offset, 1),
                inside.function(offset, 1),
                "{offset}"
            );
        }
        assert_eq!(outer.original(200), 2000);
        // a function of another module by the same number is itself
        assert_eq!(outer.function(200, 7), 7);
    }
}
