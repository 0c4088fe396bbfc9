//! What a failed doctest's output says of its failure. Pure.

use super::parser::Written;
use crate::event::{Cause, Frame};
use crate::exec::PANICKED;
use crate::harness::scan::Scan;

/// What a failed doctest's output says of it: its own words, and those that the runner has
/// marked, of which some are notes.
pub(super) fn cause_of(output: &[Written], notes: &mut Vec<String>) -> Cause {
    let mut scan = Scan::default();
    let mut cause = Cause::default();
    for written in output {
        let Some(ours) = written.runners() else {
            scan.write(written.line.as_bytes());
            scan.write(b"\n");
            continue;
        };
        if ["tried to ", "log: ", "attached: "]
            .iter()
            .any(|p| ours.starts_with(p))
        {
            notes.push(ours.to_owned());
            continue;
        }
        match (ours.strip_prefix("hint: "), ours.strip_prefix("  ")) {
            (Some(hint), _) => cause.hint = Some(hint.to_owned()),
            (None, Some(frame)) => {
                let (location, name) = match frame.split_once("  ") {
                    Some((location, name)) => (Some(location.to_owned()), name),
                    None => (None, frame),
                };
                cause.frames.push(Frame::Function {
                    name: name.to_owned(),
                    location,
                });
            }
            (None, None) if cause.message.is_empty() => ours.clone_into(&mut cause.message),
            (None, None) => notes.push(ours.strip_prefix("note: ").unwrap_or(ours).to_owned()),
        }
    }
    scan.finish();
    // where std has said more than that
    if scan.panic.is_some() && cause.message == PANICKED {
        cause.message.clear();
    }
    if cause.message.is_empty() {
        cause.message = match scan.panic {
            Some(panic) => format!(
                "panicked at {}\n{}",
                panic.location,
                panic.message.trim_end()
            ),
            None => {
                let mut lines = output.iter().map(|w| w.line.as_str());
                let line = lines.find(|l| !l.trim().is_empty());
                line.unwrap_or("it failed").trim().to_owned()
            }
        };
    }
    cause
}

/// A doctest's own words.
pub(super) fn without_marked(output: &[Written]) -> String {
    let own = output.iter().filter(|w| w.runners().is_none());
    own.flat_map(|w| [w.line.as_str(), "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::parser::By;
    use super::*;
    use crate::text::MARK;

    fn written(by: By, text: &str) -> Vec<Written> {
        let written = |line: &str| Written {
            by,
            line: line.to_owned(),
        };
        text.lines().map(written).collect()
    }

    #[test]
    fn a_cause_is_what_std_said_or_what_the_runner_has_marked() {
        let own = written(
            By::Guest,
            "thread 'main' (1) panicked at src/lib.rs:8:\nthe middle one\n",
        );
        let cause = cause_of(&own, &mut Vec::new());
        assert_eq!(cause.message, "panicked at src/lib.rs:8\nthe middle one");
        let told = format!("{MARK}stopped at its limit\n{MARK}  a.rs:3  f\n{MARK}hint: wait\n");
        let marked = [written(By::Guest, "said\n"), written(By::Tools, &told)].concat();
        let cause = cause_of(&marked, &mut Vec::new());
        assert_eq!(cause.message, "stopped at its limit");
        assert_eq!(
            (cause.frames.len(), cause.hint.as_deref()),
            (1, Some("wait"))
        );
        assert_eq!(without_marked(&marked), "said\n");
        // what was refused to it is no cause
        let mut notes = Vec::new();
        let refused = written(By::Tools, &format!("{MARK}tried to write x: read-only\n"));
        let cause = cause_of(&[own.clone(), refused].concat(), &mut notes);
        assert_eq!(cause.message, "panicked at src/lib.rs:8\nthe middle one");
        assert_eq!(notes, ["tried to write x: read-only"]);
        // what a doctest says as the runner would is its own
        let forged = written(By::Guest, &told);
        let cause = cause_of(&[forged.clone(), own].concat(), &mut notes);
        assert_eq!(cause.message, "panicked at src/lib.rs:8\nthe middle one");
        assert_eq!((cause.frames.len(), cause.hint), (0, None));
        assert_eq!(without_marked(&forged), told);
    }
}
