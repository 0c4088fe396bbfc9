//! The event stream: libtest's shapes, one object a line, nothing else on stdout.

use crate::support::{Target, arg, events, guest};
use serde_json::Value;

/// A run's events without what differs from run to run.
fn redacted(mut event: Value) -> Value {
    if let Some(object) = event.as_object_mut() {
        for (key, value) in object {
            match key.as_str() {
                "exec_time" | "start" | "end" => *value = "[time]".into(),
                "rerun" => *value = "[command]".into(),
                "source" | "location" => *value = "[place]".into(),
                // whatever is kept from another test
                "compiler" => *value = "[compiler]".into(),
                _ => *value = redacted(value.take()),
            }
        }
    } else if let Some(list) = event.as_array_mut() {
        for value in list {
            *value = redacted(value.take());
        }
    }
    event
}

#[test]
fn the_events_of_a_run() {
    let module = guest("verdicts", Target::P1, "dev");
    let events = events([
        arg(&module),
        "--processes",
        "1",
        "--",
        "passes",
        "returns_err",
        "ignored_with",
        "reads_out",
    ]);
    let lines: Vec<String> = events
        .all
        .into_iter()
        .map(|e| redacted(e).to_string())
        .collect();
    insta::with_settings!({filters => vec![(r"src/lib.rs:\d+:\d+", "src/lib.rs:L:C")]}, {
        insta::assert_snapshot!(lines.join("\n"));
    });
}

#[test]
fn every_test_ends_exactly_once_between_the_opening_and_the_closing_line() {
    let modules = [
        guest("trivial", Target::P1, "dev"),
        guest("one_panic", Target::P2, "dev"),
        guest("dies_first", Target::P1, "dev"),
    ];
    let run = || events(modules.iter().map(|m| arg(m)));
    // how long compiling takes is another matter: the number of tests does not wait for that for ever
    run();
    let events = run();
    assert_eq!(events.code, 3);
    let first = &events.all[0];
    assert_eq!(
        (&first["type"], &first["event"], &first["test_count"]),
        (&"suite".into(), &"started".into(), &2000.into())
    );
    let mut names: Vec<&str> = events
        .ends()
        .map(|e| e["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(
        names.len(),
        2001,
        "2,000 tests and a module that cannot be listed"
    );
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 2001);
    let closing = events.summary();
    assert_eq!(
        (&closing["passed"], &closing["failed"]),
        (&1999.into(), &2.into())
    );
    assert_eq!(closing["event"], "failed");
}
