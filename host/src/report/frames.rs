//! A backtrace's lines, as people read them.

use crate::event::{Frame, FrameLine, Library, Others, unfolded};
use crate::text::one_line;

/// Lines shown of a backtrace: its first and its last.
const SHOWN: (usize, usize) = (16, 4);
/// Dependencies named in one line.
const NAMED: usize = 3;

/// Which functions have a line of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Functions {
    /// The developer's.
    Own,
    All,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A function, and where it is.
    Function {
        /// `file:line`, or nothing.
        location: String,
        name: String,
    },
    /// What stands for several lines.
    Several(String),
}

/// The lines of a backtrace, harmless for a terminal.
pub fn told(frames: &[Frame], functions: Functions) -> Vec<Told> {
    let mut lines: Vec<Told> = match functions {
        Functions::Own => frames.iter().map(folded).collect(),
        Functions::All => unfolded(frames).into_iter().map(each).collect(),
    };
    if functions == Functions::Own && lines.len() > SHOWN.0 + SHOWN.1 + 1 {
        let left_out = SHOWN.0..lines.len() - SHOWN.1;
        let count = frames[left_out.clone()].iter().map(|frame| match frame {
            Frame::Others(others) => others.count(),
            Frame::Folded { count } => *count,
            Frame::Function { .. } | Frame::Repeated { .. } => 1,
        });
        let count = Told::Several(several(count.fold(0, usize::saturating_add)));
        lines.splice(left_out, [count]);
    }
    lines
}

fn folded(frame: &Frame) -> Told {
    match frame {
        Frame::Function { name, location } => function(name, location.as_deref()),
        Frame::Others(others) => Told::Several(together(others)),
        Frame::Repeated { length, times } => Told::Several(repeated(*length, *times)),
        Frame::Folded { count } => Told::Several(several(*count)),
    }
}

fn each(line: FrameLine<'_>) -> Told {
    match line {
        FrameLine::Function {
            name,
            location,
            library,
        } => function(name, location.map(|l| library.map_or(l, |of| short(l, of)))),
        FrameLine::Repeated { length, times } => Told::Several(repeated(length, times)),
        FrameLine::Folded { count } => Told::Several(several(count)),
    }
}

fn function(name: &str, location: Option<&str>) -> Told {
    Told::Function {
        location: one_line(location.unwrap_or_default()),
        name: one_line(name),
    }
}

fn several(count: usize) -> String {
    match count {
        1 => "… 1 frame".to_owned(),
        n => format!("… {n} frames"),
    }
}

fn repeated(length: usize, times: usize) -> String {
    match length {
        1 => format!("… {times} times more"),
        _ => format!("… these {length} {times} times more"),
    }
}

/// `… 14 frames in tokio-1.54.1`
fn together(others: &Others) -> String {
    let count = several(others.count());
    let dependencies = others.dependencies();
    let names: Vec<String> = dependencies
        .iter()
        .take(NAMED)
        .map(|name| one_line(name))
        .collect();
    match (names.as_slice(), dependencies.len().saturating_sub(NAMED)) {
        ([], _) => count,
        ([one], _) => format!("{count} in {one}"),
        ([first @ .., last], 0) => format!("{count} in {} and {last}", first.join(", ")),
        (names, more) => format!("{count} in {} and {more} more", names.join(", ")),
    }
}

/// A place in a library's sources, without the folders above it.
fn short<'a>(location: &'a str, library: &Library) -> &'a str {
    let above = match library {
        Library::Runtime => location.rfind("/library/").map(|at| at + 1),
        Library::Dependency(name) => location.find(&format!("/{name}/")).map(|at| at + 1),
    };
    above.map_or(location, |at| &location[at..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Other;

    #[test]
    fn what_is_folded_says_in_what_and_is_told_with_its_place_if_asked_for() {
        let other = |location: &str, library| Other {
            name: "f".to_owned(),
            location: Some(location.to_owned()),
            library,
        };
        let of = |name: &str| Library::Dependency(name.to_owned());
        let others = |first: Vec<Other>| {
            Frame::Others(Others {
                first,
                ..Others::default()
            })
        };
        let line = |first| match told(&[others(first)], Functions::Own).remove(0) {
            Told::Several(text) => text,
            function => panic!("{function:?}"),
        };
        let std = other("/rustc/0a/library/core/src/a.rs:1", Library::Runtime);
        assert_eq!(line(vec![std.clone()]), "… 1 frame");
        let a = other("/r/registry/src/i-0/a-1.0.0/src/a.rs:2", of("a-1.0.0"));
        assert_eq!(line(vec![a.clone(), std.clone()]), "… 2 frames in a-1.0.0");
        let b = other("x.rs:3", of("b-2.0.0"));
        let two = vec![a.clone(), b.clone(), a.clone()];
        assert_eq!(line(two), "… 3 frames in a-1.0.0 and b-2.0.0");
        let many = ["c", "d", "e"].map(|name| other("y.rs:4", of(name)));
        let many = [vec![a.clone(), b], many.to_vec()].concat();
        assert_eq!(line(many), "… 5 frames in a-1.0.0, b-2.0.0, c and 2 more");
        let all = told(&[others(vec![std, a])], Functions::All);
        let place = |at: usize| match &all[at] {
            Told::Function { location, .. } => location.as_str(),
            Told::Several(_) => "several",
        };
        assert_eq!(place(0), "library/core/src/a.rs:1");
        assert_eq!(place(1), "a-1.0.0/src/a.rs:2");
    }

    #[test]
    fn of_many_lines_the_first_and_the_last_are_told() {
        let own = |n: usize| Frame::Function {
            name: format!("f{n}"),
            location: None,
        };
        let frames: Vec<Frame> = (0..100).map(own).collect();
        let lines = told(&frames, Functions::Own);
        assert_eq!(lines.len(), SHOWN.0 + SHOWN.1 + 1);
        assert_eq!(lines[SHOWN.0], Told::Several("… 80 frames".to_owned()));
        assert_eq!(told(&frames, Functions::All).len(), 100);
    }
}
