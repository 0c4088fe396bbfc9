//! The debug information of a core module, read as far as its budget goes.
//!
//! A context is made at the first question, and made anew where it has spent its budget on many
//! frames. One that cannot even answer a few is given up, and with it all debug information of
//! the module: no later trap pays for it again.

use super::budget::{Budget, Counted, are_paid_for};
use addr2line::Context;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// Functions inlined at one address, as many as a guest likes.
const MAX_INLINED: usize = 64;
/// A context that is spent after fewer questions is not worth another.
const ENOUGH: usize = 256;
/// How often one is made at all.
const MOST_CONTEXTS: usize = 8;
/// What each question costs of what it cost to make the context: units whose ranges overlap are
/// all looked at, and nothing is read for that.
const SHARE: u64 = 64;
/// What a function costs that was found, beside its names.
const FOUND: u64 = 256;

/// A function's mangled name, and its source and line.
pub(super) type Found = (String, Option<(String, Option<u32>)>);

/// The debug information of a core module.
#[derive(Default)]
pub(super) struct Debug {
    sections: HashMap<String, Rc<[u8]>>,
    state: State,
    /// How many contexts were made.
    made: usize,
    /// Whether one was made for this stack.
    made_for_this: bool,
}

#[derive(Default)]
enum State {
    #[default]
    Unread,
    Ready(Box<Ready>),
    /// There is none, or what there is makes no sense.
    Absent,
    GivenUp,
}

struct Ready {
    context: Context<Counted>,
    budget: Rc<Budget>,
    /// What a question costs beside what is read for it.
    share: u64,
    asked: usize,
}

impl Debug {
    /// Adds a section.
    pub(super) fn add(&mut self, name: &str, bytes: &[u8]) {
        self.sections.insert(name.to_owned(), bytes.into());
    }

    /// Another stack is to be told.
    pub(super) fn begin(&mut self) {
        self.made_for_this = false;
    }

    /// Whether there was more to read than is read.
    pub(super) fn gave_up(&self) -> bool {
        matches!(self.state, State::GivenUp)
    }

    /// The functions at an address, the innermost first; what is not inlined and has no name has
    /// this one.
    pub(super) fn at(&mut self, address: u64, outermost: Option<&str>) -> Vec<Found> {
        let found = self.ask(|context| {
            let mut found = Vec::new();
            let Ok(mut frames) = context.find_frames(address).skip_all_loads() else {
                return found;
            };
            while let (true, Ok(Some(frame))) = (found.len() < MAX_INLINED, frames.next()) {
                let name = match &frame.function {
                    Some(function) => function.raw_name().ok().map(std::borrow::Cow::into_owned),
                    None => outermost.map(str::to_owned),
                };
                let location = frame
                    .location
                    .and_then(|l| Some((l.file?.to_owned(), l.line)));
                found.extend(name.map(|name| (name, location)));
            }
            found
        });
        let found = found.unwrap_or_default();
        if let State::Ready(ready) = &self.state {
            let of = |(name, at): &Found| name.len() + at.as_ref().map_or(0, |at| at.0.len());
            let bytes: usize = found.iter().map(of).sum();
            ready
                .budget
                .spend(bytes as u64 + FOUND * found.len() as u64);
        }
        found
    }

    /// An answer from debug information, if there is some and its budget has allowed it.
    pub(super) fn ask<T>(&mut self, question: impl Fn(&Context<Counted>) -> T) -> Option<T> {
        loop {
            let ready = self.ready()?;
            let is_first = ready.asked == 0;
            ready.asked += 1;
            ready.budget.spend(ready.share);
            ready.budget.begin();
            let answer = question(&ready.context);
            ready.budget.end();
            if !ready.budget.is_spent() {
                return Some(answer);
            }
            let asked = ready.asked;
            let again =
                !is_first && asked > ENOUGH && self.made < MOST_CONTEXTS && !self.made_for_this;
            self.state = match again {
                true => State::Unread,
                false => State::GivenUp,
            };
        }
    }

    fn ready(&mut self) -> Option<&mut Ready> {
        if matches!(self.state, State::Unread) {
            self.made += 1;
            self.made_for_this = true;
            let budget: Rc<Budget> = Rc::default();
            budget.begin();
            let context = self.context(&budget);
            budget.end();
            self.state = match context {
                _ if budget.is_spent() => State::GivenUp,
                None => State::Absent,
                Some(context) => State::Ready(Box::new(Ready {
                    context,
                    share: budget.spent() / SHARE,
                    budget,
                    asked: 0,
                })),
            };
        }
        match &mut self.state {
            State::Ready(ready) => Some(ready),
            State::Unread | State::Absent | State::GivenUp => None,
        }
    }

    fn context(&self, budget: &Rc<Budget>) -> Option<Context<Counted>> {
        if !self.sections.contains_key(".debug_info") {
            return None;
        }
        let load = |id: gimli::SectionId| -> Result<Counted, gimli::Error> {
            let bytes = self.sections.get(id.name()).cloned().unwrap_or_default();
            Ok(Counted::new(id.name(), bytes, budget.clone()))
        };
        let dwarf = gimli::Dwarf::load(load).ok()?;
        let mut tables = HashSet::new();
        let mut units = dwarf.units();
        while let Ok(Some(unit)) = units.next() {
            tables.insert(unit.debug_abbrev_offset().0);
        }
        for at in tables {
            let mut table = load(gimli::SectionId::DebugAbbrev).ok()?;
            gimli::Reader::skip(&mut table, at).ok()?;
            // a table that is none is passed over in its units too
            if are_paid_for(table) == Ok(false) {
                budget.spend(u64::MAX);
            }
        }
        Context::from_dwarf(dwarf).ok()
    }
}

#[cfg(test)]
mod tests;
