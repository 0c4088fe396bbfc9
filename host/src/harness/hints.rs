//! What WASI lacks and tests ask for: how a failure shows it, and what to do. One table.
//!
//! std's words change from one Rust to the next. So a hint rests on the function of std's
//! that is on the stack, then on the source of std's that panicked, which a file without
//! names still tells; on words only where an error has come back to the developer's code
//! and nothing else is left of it. A user's words and functions of such names are none of
//! std's. `tests/guests/hints` has a test of each hint's name that provokes it, so that
//! every toolchain can be asked whether it is still given. Pure.

use super::termination::{Function, RuntimeCalls, path_in};
use crate::instrument::is_runtime_source;

/// A hint.
#[derive(Debug)]
pub struct Hint {
    /// Its name, which is that of the test that provokes it.
    pub name: &'static str,
    /// What shows it: any of these.
    signs: &'static [Sign],
    /// What is said; `{why}` stands for why what std lacks was not filled in.
    pub advice: &'static str,
}

impl Hint {
    /// What is said of a failure in a module in which this was not filled in, for that reason.
    pub fn told(&self, why_not: Option<&str>) -> String {
        match why_not {
            Some(why) => self.advice.replace("{why}", why),
            // it was: then it does as it is told
            None if self.name == TEMP_DIR => {
                "std::env::temp_dir() is what TMPDIR says, and that is not set here: --env TMPDIR=/tmp"
                    .to_owned()
            }
            None => self.advice.replace(": {why}", ""),
        }
    }
}

/// What shows a hint.
#[derive(Debug)]
enum Sign {
    /// A function of the runtime's on the stack whose path begins so.
    On(&'static str),
    /// A panic in a source of the toolchain's with this in its path, and this in its message.
    In(&'static str, &'static str),
    /// An error that says that something is unsupported or not permitted, where the
    /// developer's code has called a function of std's whose path begins so and has this in it.
    From(&'static str, &'static str),
    /// A message with all of these.
    Says(&'static [&'static str]),
    /// The same, where nothing that was refused is named anyway, with what would allow it.
    SaysAlone(&'static [&'static str]),
    /// A panic inside of `catch_unwind`, other than the SDK's own.
    Caught,
}

/// The hint for `std::env::temp_dir`.
pub const TEMP_DIR: &str = "temp_dir";
/// The hint for `std::process::id`.
pub const PROCESS_ID: &str = "process_id";

/// All hints, the most telling first.
pub static HINTS: &[Hint] = &[
    Hint {
        name: "thread_pool",
        signs: &[Sign::Says(&["ThreadPoolBuildError", "Unsupported"])],
        advice: "WASI has no threads, so rayon cannot start any: its global pool works on the calling thread there, as does ThreadPoolBuilder::new().num_threads(1).use_current_thread()",
    },
    Hint {
        name: TEMP_DIR,
        signs: &[
            Sign::On("std::env::temp_dir"),
            Sign::In("library/std/src/sys/paths/wasi.rs", ""),
            // which has more functions that panic
            Sign::In("library/std/src/sys/pal/wasi/os.rs", "no filesystem"),
        ],
        advice: "std::env::temp_dir() panics on WASI, and was not made to work here: {why}; std::env::var(\"TMPDIR\") names the private folder of a test: /tmp",
    },
    Hint {
        name: PROCESS_ID,
        signs: &[
            Sign::On("std::process::id"),
            Sign::In("library/std/src/sys/process/unsupported.rs", "pids"),
            Sign::In("library/std/src/sys/pal/wasi/os.rs", "unsupported"),
        ],
        advice: "WASI has no processes, and std::process::id() was not made to give a number here: {why}",
    },
    Hint {
        name: "thread",
        signs: &[
            Sign::In("library/std/src/thread/", "Unsupported"),
            Sign::From("std::thread::", "spawn"),
            // crates say it as std does
            Sign::Says(&["failed to spawn", "thread"]),
        ],
        advice: "WASI has no threads: run this test elsewhere, #[cfg_attr(target_family = \"wasm\", ignore = \"needs threads\")]",
    },
    Hint {
        name: "waits_for_a_thread",
        signs: &[
            Sign::In("library/std/src/sys/sync/condvar/no_threads.rs", ""),
            // only at a limit: it waits there for ever
            Sign::On("std::sync::mpmc::context::Context::wait_until"),
        ],
        advice: "WASI has no threads, so nothing can ever wake one that waits: run this test elsewhere, #[cfg_attr(target_family = \"wasm\", ignore = \"needs threads\")]",
    },
    Hint {
        name: "number_of_threads",
        signs: &[Sign::From("std::thread::", "available_parallelism")],
        advice: "std::thread::available_parallelism() fails on WASI before Rust 1.99; there is one thread: .map_or(1, |n| n.get())",
    },
    Hint {
        name: "current_exe",
        signs: &[Sign::From("std::env::current_exe", "")],
        advice: "std::env::current_exe() always fails: WASI has no such call, and a module is no program that could be started again",
    },
    Hint {
        name: "command",
        signs: &[Sign::From("std::process::Command", "")],
        advice: "WASI cannot start processes: run this test elsewhere, #[cfg_attr(target_family = \"wasm\", ignore = \"starts a process\")]",
    },
    Hint {
        name: "socket",
        signs: &[Sign::From("std::net::", "")],
        advice: "the sandbox has no sockets, and std for wasm32-wasip1 knows none: a host fixture can give a test what it would fetch",
    },
    Hint {
        name: "not_granted",
        signs: &[Sign::SaysAlone(&["pre-opened file descriptor"])],
        advice: "the sandbox grants no such folder; --dir FOLDER allows reading it, --dir FOLDER::rw writing",
    },
    Hint {
        name: "not_found",
        signs: &[Sign::SaysAlone(&["code: 44, kind: NotFound"])],
        advice: "was it outside of what is granted? --dir FOLDER lets tests read it, --dir FOLDER:rw write too",
    },
    Hint {
        name: "read_only",
        signs: &[Sign::SaysAlone(&["code: 63, kind: PermissionDenied"])],
        advice: "what it wanted to change there it may only read: --dir FOLDER:rw lets tests write, in cargo also --rw FOLDER",
    },
    Hint {
        name: "capacity",
        signs: &[
            Sign::On("alloc::raw_vec::capacity_overflow"),
            Sign::Says(&["capacity overflow"]),
        ],
        advice: "a size beyond what 32 bits can address",
    },
    Hint {
        name: "unsupported",
        signs: &[
            Sign::Says(&["kind: Unsupported"]),
            Sign::SaysAlone(&["PermissionDenied"]),
        ],
        advice: "WASI has no threads, no processes and no path of the program itself, the sandbox no sockets, and folders only where they were granted",
    },
    Hint {
        name: "catch_unwind",
        signs: &[Sign::Caught],
        advice: "panics abort on this target, so catch_unwind catches nothing",
    },
];

/// What is known of a failure.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// Where it panicked, if it did.
    pub location: Option<&'a str>,
    /// Its message, or that of the error that came back.
    pub message: &'a str,
    /// The functions on its stack, as far as there are names.
    pub functions: &'a [Function],
    /// What had been called.
    pub asked: &'a RuntimeCalls,
    /// Whether nothing that was refused is named with it.
    pub alone: bool,
}

/// Whether a message tells of an error for which it matters what was called.
pub fn is_about_a_call(message: &str) -> bool {
    message.contains("kind: Unsupported") || message.contains("kind: PermissionDenied")
}

/// The hint for a failure.
pub fn hint(failure: &Failure<'_>) -> Option<&'static Hint> {
    let called = is_about_a_call(failure.message)
        .then(|| called(failure.asked))
        .flatten();
    let shows = |sign: &Sign, hint: &Hint| match sign {
        Sign::On(function) => {
            failure.location.is_some_and(is_runtime_source) && on(failure, function)
        }
        Sign::In(source, words) => {
            failure.message.contains(words)
                && failure
                    .location
                    .is_some_and(|l| is_runtime_source(l) && l.contains(source))
        }
        Sign::From(..) => called.is_some_and(|called| std::ptr::eq(called, hint)),
        Sign::Says(words) => says(failure, words),
        Sign::SaysAlone(words) => failure.alone && says(failure, words),
        Sign::Caught => is_caught(failure),
    };
    HINTS
        .iter()
        .find(|hint| hint.signs.iter().any(|sign| shows(sign, hint)))
}

/// The hint of this name.
pub fn named(name: &str) -> Option<&'static Hint> {
    HINTS.iter().find(|hint| hint.name == name)
}

/// The hint for a test that was stopped at its limit.
pub fn at_limit(functions: &[Function]) -> Option<&'static Hint> {
    let hint = HINTS.iter().find(|h| h.name == "waits_for_a_thread")?;
    let waits = |sign: &Sign| match sign {
        Sign::On(function) => functions.iter().any(|f| f.is_runtimes(function)),
        _ => false,
    };
    hint.signs.iter().any(waits).then_some(hint)
}

fn says(failure: &Failure<'_>, words: &[&str]) -> bool {
    words.iter().all(|word| failure.message.contains(word))
}

fn on(failure: &Failure<'_>, function: &str) -> bool {
    failure.functions.iter().any(|f| f.is_runtimes(function))
}

/// A harness catches panics itself: only what lies inside the test counts.
fn is_caught(failure: &Failure<'_>) -> bool {
    let harness = |f: &Function| f.library.is_some() && f.name.starts_with("libtest_mimic::");
    let end = failure.functions.iter().position(harness);
    let inside = &failure.functions[..end.unwrap_or(failure.functions.len())];
    let through = |name: &str| inside.iter().any(|f| f.is_runtimes(name));
    failure.location.is_some()
        && (through("std::panic::catch_unwind") || through("std::panicking::catch_unwind"))
        // the SDK's own, which is in every plain `#[test]` of its
        && !through("wasmtest::elsewhere::run")
}

/// The hint of the function that gave an error: the last that was called, or the only one of
/// such functions that is called at all.
fn called(asked: &RuntimeCalls) -> Option<&'static Hint> {
    let of = |name: &String| {
        let path = path_in(name);
        let meant = |sign: &Sign| match sign {
            Sign::From(begins, has) => path
                .strip_prefix(begins)
                .is_some_and(|rest| rest.contains(has)),
            _ => false,
        };
        HINTS.iter().find(|hint| hint.signs.iter().any(meant))
    };
    if let Some(last) = asked.before.iter().find_map(of) {
        return Some(last);
    }
    let mut all = asked.anywhere.iter().filter_map(of);
    let first = all.next()?;
    all.all(|hint| std::ptr::eq(hint, first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Library;

    fn given(
        location: Option<&str>,
        message: &str,
        functions: &[&str],
        asked: RuntimeCalls,
    ) -> String {
        let functions: Vec<Function> = functions
            .iter()
            .map(|name| Function {
                name: (*name).to_owned(),
                library: name.starts_with("std::").then_some(Library::Runtime),
            })
            .collect();
        let hint = hint(&Failure {
            location,
            message,
            functions: &functions,
            asked: &asked,
            alone: true,
        });
        hint.map_or("none", |h| h.name).to_owned()
    }

    #[test]
    fn what_std_says_counts_only_where_std_says_it() {
        let panics = |location: &str, message: &str, functions: &[&str]| {
            given(Some(location), message, functions, RuntimeCalls::default())
        };
        const STD: &str = "/rustc/0a1b/library/std/src/sys";
        // whatever its words are
        let named = ["std::panicking::panic", "std::env::temp_dir", "a::t"];
        assert_eq!(
            panics(&format!("{STD}/new.rs:1:2"), "never", &named),
            "temp_dir"
        );
        // and without names
        let wasi = format!("{STD}/paths/wasi.rs:44:5");
        assert_eq!(panics(&wasi, "not supported by WASI yet", &[]), "temp_dir");
        let os = format!("{STD}/pal/wasi/os.rs:98:5");
        assert_eq!(panics(&os, "no filesystem on wasm", &[]), "temp_dir");
        assert_eq!(panics(&os, "unsupported", &[]), "process_id");
        assert_eq!(
            panics("src/os.rs:1:2", "no filesystem on wasm", &[]),
            "none"
        );
        assert_eq!(
            panics("src/paths/wasi.rs:1:2", "no", &["std::env::temp_dir"]),
            "none"
        );
        assert_eq!(
            panics(&format!("{STD}/thread/local.rs:1:2"), "destroyed", &[]),
            "none"
        );
    }

    #[test]
    fn an_error_that_came_back_is_told_by_what_was_called() {
        const UNSUPPORTED: &str = "Error { kind: Unsupported, message: \"no\" }";
        let of = |before: &[&str], anywhere: &[&str]| {
            let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
            let asked = RuntimeCalls {
                before: names(before),
                anywhere: names(anywhere),
            };
            given(Some("src/a.rs:1:2"), UNSUPPORTED, &[], asked)
        };
        let both = ["std::env::current_exe", "<std::process::Command>::output"];
        assert_eq!(
            of(&["std::io::_print", both[0], both[1]], &[]),
            "current_exe"
        );
        assert_eq!(of(&[both[1]], &both), "command");
        assert_eq!(of(&[], &both[..1]), "current_exe");
        // it may be either
        assert_eq!(of(&[], &both), "unsupported");
        assert_eq!(of(&["std::thread::functions::sleep"], &[]), "unsupported");
        assert_eq!(of(&["std::thread::builder::Builder::spawn"], &[]), "thread");
    }
}
