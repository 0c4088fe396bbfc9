//! What to show of a stack: the developer's frames inside the harness, the others between
//! them together, repetitions folded.

use super::owner::first_segment;
use super::{MAX_CYCLE, Resolved};
use crate::event::{Frame, Library, Other, Others};
use std::rc::Rc;

/// Lines kept of a backtrace: its first and its last.
const KEPT: (usize, usize) = (160, 32);
/// Functions kept of those that follow each other and are not the developer's.
const KEPT_OTHERS: (usize, usize) = (160, 32);
/// Such functions kept of one backtrace: it travels in one message, and names are as
/// long as a guest likes.
const ALL_OTHERS: usize = 1024;

/// Whether a function calls tests or programs: what called it is none of their business.
pub(super) fn is_caller(function: &Resolved) -> bool {
    let name = function.name.as_str();
    let of_edition = |prefix: &str| {
        let edition = first_segment(name).and_then(|crate_name| crate_name.strip_prefix(prefix));
        edition.is_some_and(|e| !e.is_empty() && e.bytes().all(|b| b.is_ascii_digit()))
    };
    match first_segment(name) {
        _ if of_edition("doctest_runner_") => true,
        _ if of_edition("doctest_bundle_") => name.ends_with("::__main_fn"),
        _ if function.library != Some(Library::Runtime) => false,
        Some("test") => true,
        _ => [
            "wasmtest::__private",
            "wasmtest::host::",
            "std::rt::lang_start",
        ]
        .iter()
        .any(|caller| name.starts_with(caller)),
    }
}

/// The lines to show of a stack, innermost first.
pub(super) fn show(all: &[Rc<Resolved>]) -> Vec<Frame> {
    let inside = all
        .iter()
        .position(|f| is_caller(f))
        .map_or(all, |end| &all[..end]);
    let is_own = |f: &Rc<Resolved>| f.library.is_none();
    let is_runtime = |f: &Rc<Resolved>| f.library == Some(Library::Runtime);
    // the panic's own functions tell nothing, a dependency that panics does
    let Some(first) = inside.iter().position(|f| !is_runtime(f)) else {
        return Vec::new();
    };
    let Some(last) = inside.iter().rposition(is_own) else {
        // the developer's are a part of others, or of what calls them
        let last = inside.iter().rposition(|f| !is_runtime(f));
        let others = &inside[first + 1..=last.unwrap_or(first)];
        let others = (!others.is_empty()).then_some(Line::Others(others));
        let lines: Vec<Line<'_>> = std::iter::once(Line::Function(&inside[first]))
            .chain(others)
            .collect();
        return frames(&lines);
    };
    let shown = &inside[first..=last];
    let mut lines: Vec<Line<'_>> = shown
        .chunk_by(|a, b| !is_own(a) && !is_own(b))
        .map(|chunk| match chunk {
            [one] if is_own(one) => Line::Function(one),
            others => Line::Others(others),
        })
        .collect();
    // libtest wraps `fn test` in `fn test::{{closure}}`
    if let [.., Line::Function(test), Line::Function(wrapper)] = lines.as_slice()
        && wrapper
            .name
            .strip_prefix(&test.name)
            .is_some_and(is_closure)
    {
        lines.pop();
    }
    frames(&lines)
}

/// Lines as they travel.
fn frames(lines: &[Line<'_>]) -> Vec<Frame> {
    let mut folded = fold_repetitions(lines);
    if folded.len() > KEPT.0 + KEPT.1 + 1 {
        let left_out = KEPT.0..folded.len() - KEPT.1;
        let count = left_out.len();
        folded.splice(left_out, [Folded::LeftOut(count)]);
    }
    let mut room = ALL_OTHERS;
    folded.iter().map(|line| line.frame(&mut room)).collect()
}

/// Whether this is how a function's closure is named after it, in either mangling.
fn is_closure(rest: &str) -> bool {
    rest == "::{{closure}}" || rest.starts_with("::{closure#") && rest.ends_with('}')
}

/// A line before repetitions are folded: cheap to compare and to copy.
#[derive(Clone, Copy)]
enum Line<'a> {
    Function(&'a Rc<Resolved>),
    Others(&'a [Rc<Resolved>]),
}

impl PartialEq for Line<'_> {
    fn eq(&self, other: &Self) -> bool {
        // the same address was resolved once
        match (self, other) {
            (Line::Function(a), Line::Function(b)) => Rc::ptr_eq(a, b),
            (Line::Others(a), Line::Others(b)) => {
                a.len() == b.len() && a.iter().zip(*b).all(|(a, b)| Rc::ptr_eq(a, b))
            }
            _ => false,
        }
    }
}

/// A line after repetitions are folded.
enum Folded<'a> {
    Line(Line<'a>),
    Repeated { length: usize, times: usize },
    LeftOut(usize),
}

impl Folded<'_> {
    fn frame(&self, room: &mut usize) -> Frame {
        match *self {
            Folded::Line(Line::Function(f)) => Frame::Function {
                name: f.name.clone(),
                location: f.location.clone(),
            },
            Folded::Line(Line::Others(others)) => Frame::Others(together(others, room)),
            Folded::Repeated { length, times } => Frame::Repeated { length, times },
            Folded::LeftOut(count) => Frame::Folded { count },
        }
    }
}

fn together(functions: &[Rc<Resolved>], room: &mut usize) -> Others {
    let other = |f: &Rc<Resolved>| Other {
        name: f.name.clone(),
        location: f.location.clone(),
        library: f.library.clone().unwrap_or(Library::Runtime),
    };
    let mut keep = |functions: usize, most: usize| {
        let kept = functions.min(most).min(*room);
        *room -= kept;
        kept
    };
    let (first, rest) = functions.split_at(keep(functions.len(), KEPT_OTHERS.0));
    let (middle, last) = rest.split_at(rest.len() - keep(rest.len(), KEPT_OTHERS.1));
    Others {
        first: first.iter().map(other).collect(),
        left_out: middle.len(),
        last: last.iter().map(other).collect(),
    }
}

/// Folds `a b a b a b` to `a b … 2 times`.
fn fold_repetitions<'a>(lines: &[Line<'a>]) -> Vec<Folded<'a>> {
    let mut out: Vec<Folded<'a>> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let rest = &lines[at..];
        let repeated = (1..=MAX_CYCLE.min(rest.len() / 2)).find_map(|length| {
            let again = rest.chunks_exact(length).skip(1);
            let times = again.take_while(|c| *c == &rest[..length]).count();
            (times > 1).then_some((length, times))
        });
        let length = repeated.map_or(1, |(length, _)| length);
        out.extend(rest[..length].iter().copied().map(Folded::Line));
        if let Some((length, times)) = repeated {
            out.push(Folded::Repeated { length, times });
        }
        at += length * repeated.map_or(1, |(_, times)| times + 1);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(name: &str) -> Rc<Resolved> {
        let library = match first_segment(name) {
            Some("std" | "core" | "test") => Some(Library::Runtime),
            Some("tokio") => Some(Library::Dependency("tokio-1.0.0".to_owned())),
            _ if name.starts_with('_') => Some(Library::Runtime),
            _ => None,
        };
        Rc::new(Resolved {
            name: name.to_owned(),
            location: None,
            library,
        })
    }

    fn names(frames: &[Frame]) -> Vec<String> {
        let name = |f: &Frame| match f {
            Frame::Function { name, .. } => name.clone(),
            Frame::Others(others) => {
                format!("{} in {}", others.count(), others.dependencies().join(","))
            }
            Frame::Repeated { length, times } => format!("{length}x{times}"),
            Frame::Folded { count } => format!("folded {count}"),
        };
        frames.iter().map(name).collect()
    }

    fn shown(names_of: &[&str]) -> Vec<String> {
        let all: Vec<Rc<Resolved>> = names_of.iter().map(|n| frame(n)).collect();
        names(&show(&all))
    }

    #[test]
    fn the_tests_own_frame_comes_first_and_the_harness_is_left_out() {
        let shown = shown(&[
            "__rust_start_panic",
            "std::panicking::begin_panic",
            "a::tests::t",
            "a::tests::t::{{closure}}",
            "core::ops::function::FnOnce::call_once",
            "test::__rust_begin_short_backtrace",
            "a::main",
            "_start",
        ]);
        assert_eq!(shown, ["a::tests::t"]);
        let newer = ["a::t::{closure#0}", "std::x", "a::t", "a::t::{closure#0}"];
        let lines = self::shown(&newer);
        assert_eq!(lines, ["a::t::{closure#0}", "1 in ", "a::t"]);
    }

    #[test]
    fn what_is_not_the_developers_is_one_line_however_it_is_nested() {
        let all = [
            "std::panicking::begin_panic",
            "a::t::{{closure}}",
            "tokio::poll",
            "core::pin::poll",
            "tokio::block_on",
            "a::t",
            "core::ops::function::FnOnce::call_once",
            "test::__rust_begin_short_backtrace",
        ];
        assert_eq!(
            shown(&all),
            ["a::t::{{closure}}", "3 in tokio-1.0.0", "a::t"]
        );
        let panics_inside = ["std::panicking::panic", "tokio::send", "std::x", "a::t"];
        assert_eq!(shown(&panics_inside), ["2 in tokio-1.0.0", "a::t"]);
        // then there is nothing to fold it between
        let nothing_else = ["std::panicking::panic", "tokio::send", "std::x", "tokio::y"];
        assert_eq!(shown(&nothing_else), ["tokio::send", "2 in tokio-1.0.0"]);
        assert_eq!(shown(&["std::a", "tokio::send", "_start"]), ["tokio::send"]);
        assert!(shown(&["std::a", "_start"]).is_empty());
    }

    #[test]
    fn recursion_is_folded() {
        let mut all = vec![frame("a::leaf")];
        let (odd, even) = (frame("a::odd"), frame("a::even"));
        let through = frame("tokio::call");
        for _ in 0..100 {
            all.extend([odd.clone(), through.clone(), even.clone()]);
        }
        all.push(frame("a::tests::t"));
        assert_eq!(
            names(&show(&all)),
            [
                "a::leaf",
                "a::odd",
                "1 in tokio-1.0.0",
                "a::even",
                "3x99",
                "a::tests::t"
            ]
        );
    }

    #[test]
    fn what_is_kept_is_bounded() {
        // no two cycles alike
        let deep: Vec<Rc<Resolved>> = (0..30_000)
            .map(|n| {
                frame(&format!(
                    "{}::f{n}",
                    if n % 300 == 0 { "a" } else { "tokio" }
                ))
            })
            .collect();
        let frames = show(&deep);
        let kept: usize = frames
            .iter()
            .map(|f| match f {
                Frame::Others(others) => others.first.len() + others.last.len(),
                _ => 1,
            })
            .sum();
        assert!(kept <= ALL_OTHERS + KEPT.0 + KEPT.1 + 1, "{kept}");
    }
}
