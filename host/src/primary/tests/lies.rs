//! All that a worker can say wrongly: each field of each message.
//!
//! The messages are a chain, whose match does not compile without a place for a new one.

use crate::event::denials::Denials;
use crate::event::{
    Captured, Cause, FixtureKind, Frame, Others, Outcome, SetupKind, SetupOutput, SetupRun,
    SuiteFailure, SuitePart, TestOutput,
};
use crate::harness::{command, sdk};
use crate::protocol::suites::ValueNumber;
use crate::protocol::{
    Beside, Done, FromWorker, Globals, Holds, ListedTest, Listing, LoadError, ModuleNumber, SetUp,
    SharedSetupError, SnapshotNumber, Stopped, TaskNumber,
};
use serde_bytes::ByteBuf;
use serde_json::json;
use std::time::Duration;

/// What there is to lie about, where a lie is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    /// The task that was given last, or another.
    pub task: TaskNumber,
    pub module: ModuleNumber,
    /// The state that it may begin from, or another.
    pub snapshot: SnapshotNumber,
    pub value: ValueNumber,
    /// Whether they are told, or only counted: some are large.
    pub told: bool,
}

/// The names of all lies: those of each message, with what is wrong in it. Some could be true at
/// some moments: those must do no harm either.
pub(super) fn names(at: At) -> Vec<String> {
    let mut names = Vec::new();
    each(At { told: false, ..at }, |name, lies, _| {
        names.extend(lies.iter().map(|(what, _)| format!("{name}: {what}")));
        None
    });
    names
}

/// The lie of this number.
pub(super) fn lie(number: usize, at: At) -> FromWorker {
    let mut before = 0;
    let found = each(At { told: false, ..at }, |_, lies, last| {
        let its = number.checked_sub(before).filter(|n| *n < lies.len());
        before += lies.len();
        let its = its?;
        let (_, mut lies) = next(last, At { told: true, ..at })?;
        Some(lies.swap_remove(its).1)
    });
    found.expect("there are as many")
}

/// Goes along the chain, until something is found.
fn each(
    at: At,
    mut found: impl FnMut(&str, &Lies, Option<&FromWorker>) -> Option<FromWorker>,
) -> Option<FromWorker> {
    let mut last = None;
    while let Some((message, lies)) = next(last.as_ref(), at) {
        let name = format!("{message:?}");
        let name = name.split(['(', ' ', '{']).next().unwrap_or_default();
        let its = found(name, &lies, last.as_ref());
        if its.is_some() {
            return its;
        }
        last = Some(message);
    }
    None
}

type Lies = Vec<(&'static str, FromWorker)>;

/// The message after this one in the chain, and its lies.
fn next(last: Option<&FromWorker>, at: At) -> Option<(FromWorker, Lies)> {
    let lies: Lies = match last {
        None => vec![("again", FromWorker::Ready)],
        Some(FromWorker::Ready) => vec![("late", FromWorker::SetupFailed("\u{1b}[2J".into()))],
        Some(FromWorker::SetupFailed(_)) => listed(at),
        Some(FromWorker::Listed { .. }) => vec![
            ("a strange task", FromWorker::Passed(stranger(), 1, 1)),
            (
                "the next task",
                FromWorker::Passed(TaskNumber(at.task.0 + 1), 1, 1),
            ),
            ("a late start", FromWorker::Passed(at.task, u64::MAX, 0)),
            ("a duration", FromWorker::Passed(at.task, 1, u64::MAX)),
        ],
        Some(FromWorker::Passed(..)) => vec![("of none", FromWorker::Results)],
        Some(FromWorker::Results) => done(at),
        Some(FromWorker::Done(_)) => vec![
            ("nothing", FromWorker::Revoked(Vec::new())),
            ("what runs", FromWorker::Revoked(vec![at.task])),
            ("twice", FromWorker::Revoked(vec![at.task, at.task])),
            (
                "strangers",
                FromWorker::Revoked(vec![stranger(); at.many(10_000)]),
            ),
        ],
        Some(FromWorker::Revoked(_)) => stopped(at),
        Some(FromWorker::Stopped(_)) => vec![
            ("unasked", FromWorker::UnitDone(at.task, Vec::new())),
            ("a stranger", FromWorker::UnitDone(stranger(), Vec::new())),
            (
                "many",
                FromWorker::UnitDone(at.task, vec![failure("c::u"); at.many(5000)]),
            ),
            (
                "a setup",
                FromWorker::UnitDone(at.task, vec![failure("c::s::begin")]),
            ),
        ],
        Some(FromWorker::UnitDone(..)) => states(at),
        Some(FromWorker::State(..)) => vec![
            ("a stranger", FromWorker::Keeping(strange_state(), 1)),
            ("any size", FromWorker::Keeping(at.snapshot, u64::MAX)),
        ],
        Some(FromWorker::Keeping(..)) => {
            let nothing = Beside::default;
            vec![
                (
                    "a stranger",
                    FromWorker::Kept(strange_state(), 1, nothing(), Vec::new()),
                ),
                (
                    "unasked",
                    FromWorker::Kept(at.snapshot, u64::MAX, nothing(), Vec::new()),
                ),
            ]
        }
        Some(FromWorker::Kept(..)) => vec![
            (
                "a stranger",
                FromWorker::NoState(strange_state(), String::new()),
            ),
            ("a long word", FromWorker::NoState(at.snapshot, at.long())),
            (
                "an escape",
                FromWorker::NoState(at.snapshot, "\u{1b}[2J".into()),
            ),
        ],
        Some(FromWorker::NoState(..)) => set_up(at),
        Some(FromWorker::SetUp(..)) => vec![
            (
                "unasked",
                FromWorker::TakingDown("c::u".into(), FixtureKind::Suite),
            ),
            (
                "a long name",
                FromWorker::TakingDown(at.long(), FixtureKind::Fixture),
            ),
        ],
        Some(FromWorker::TakingDown(..)) => vec![
            (
                "unasked",
                FromWorker::Logged(at.value, vec!["\u{1b}[2J".into()]),
            ),
            (
                "a stranger",
                FromWorker::Logged(strange_value(), Vec::new()),
            ),
            (
                "many",
                FromWorker::Logged(at.value, vec!["x".into(); at.many(150_000)]),
            ),
        ],
        Some(FromWorker::Logged(..)) => vec![
            ("unasked", FromWorker::TornDown(at.value, Vec::new())),
            (
                "a stranger",
                FromWorker::TornDown(strange_value(), Vec::new()),
            ),
            (
                "many",
                FromWorker::TornDown(at.value, vec![failure("c::s"); at.many(5000)]),
            ),
        ],
        Some(FromWorker::TornDown(..)) => return None,
    };
    let example = lies.first().map(|(_, lie)| lie.clone());
    Some((example.expect("each message has a lie"), lies))
}

fn stranger() -> TaskNumber {
    TaskNumber(u64::MAX)
}

fn strange_state() -> SnapshotNumber {
    SnapshotNumber(usize::MAX)
}

fn strange_value() -> ValueNumber {
    ValueNumber(usize::MAX)
}

impl At {
    /// A text that is longer than any may be.
    fn long(self) -> String {
        "x".repeat(self.many(4 << 20))
    }

    /// So many, where it is told.
    fn many(self, count: usize) -> usize {
        match self.told {
            true => count,
            false => 1,
        }
    }
}

fn listed(at: At) -> Lies {
    let of = |module, tests: Vec<ListedTest>| FromWorker::Listed {
        module,
        tests: Ok(Listing {
            tests,
            plain: None,
            holds: Holds::ForTheModule,
        }),
    };
    let named = |path: &str| ListedTest::named(path, command::NAME);
    let exported = ListedTest {
        export: Some("wasmtest:c::a".into()),
        ..ListedTest::named("a", sdk::NAME)
    };
    let failed = |error| FromWorker::Listed {
        module: at.module,
        tests: Err(error),
    };
    vec![
        ("nothing", of(at.module, Vec::new())),
        ("a stranger", of(ModuleNumber(usize::MAX), Vec::new())),
        ("an export", of(at.module, vec![exported])),
        ("a long name", of(at.module, vec![named(&at.long())])),
        ("an artefact", failed(LoadError::Artefact(at.long()))),
        ("a module", failed(LoadError::Module(Cause::new("no")))),
    ]
}

fn done(at: At) -> Lies {
    let plain = || Done::new(at.task, Ok(Outcome::Passed));
    let mut lies: Vec<(&'static str, Done)> = Vec::new();
    let passed = plain();
    // each field has its lies
    let Done {
        task: _,
        outcome: _,
        start: _,
        duration: _,
        output: _,
        suites: _,
        made: _,
        as_source: _,
    } = &passed;
    lies.push((
        "a strange task",
        Done {
            task: stranger(),
            ..plain()
        },
    ));
    lies.push((
        "a start",
        Done {
            start: Duration::MAX,
            ..plain()
        },
    ));
    lies.push((
        "a duration",
        Done {
            duration: Duration::MAX,
            ..plain()
        },
    ));
    for (what, outcome) in outcomes(at) {
        lies.push((what, Done { outcome, ..plain() }));
    }
    for (what, output) in outputs(at) {
        lies.push((what, Done { output, ..plain() }));
    }
    let suites = vec![failure("c::s::begin")];
    lies.push(("another's suite", Done { suites, ..plain() }));
    let suites = vec![failure("c::u"); at.many(5000)];
    lies.push(("many suites", Done { suites, ..plain() }));
    lies.push((
        "a static",
        Done {
            made: Some(at.long()),
            ..plain()
        },
    ));
    lies.push((
        "a source",
        Done {
            as_source: Some(at.long()),
            ..plain()
        },
    ));
    let message = |(what, done)| (what, FromWorker::Done(Box::new(done)));
    lies.into_iter().map(message).collect()
}

fn outcomes(at: At) -> Vec<(&'static str, Result<Outcome, LoadError>)> {
    let mut all = vec![
        ("interrupted", Ok(Outcome::Interrupted)),
        (
            "not run",
            Ok(Outcome::NotRun {
                reason: "why".into(),
            }),
        ),
        ("a long reason", Ok(Outcome::Skipped { reason: at.long() })),
        (
            "an expected failure",
            Ok(Outcome::ExpectedFailure {
                reason: String::new(),
                cause: Cause::default(),
            }),
        ),
        ("its artefact", Err(LoadError::Artefact("no".into()))),
        ("its module", Err(LoadError::Module(Cause::new("no")))),
        (
            "a list",
            Err(LoadError::List(Cause::new("no"), Box::default())),
        ),
    ];
    for (what, cause) in causes(at) {
        all.push((what, Ok(Outcome::Crashed(cause.clone()))));
        all.push((what, Ok(Outcome::Failed(cause))));
    }
    all
}

fn causes(at: At) -> Vec<(&'static str, Cause)> {
    let frames = |frames| Cause {
        frames,
        ..Cause::new("no")
    };
    let folded = Frame::Folded { count: usize::MAX };
    let repeated = Frame::Repeated {
        length: usize::MAX,
        times: usize::MAX,
    };
    let others = Frame::Others(Others {
        left_out: usize::MAX,
        ..Others::default()
    });
    vec![
        ("a long message", Cause::new(at.long())),
        ("a long hint", Cause::new("no").hint(at.long())),
        ("an escape", Cause::new("\u{1b}[2J\n\u{9b}2J")),
        ("many frames", frames(vec![folded.clone(); at.many(20_000)])),
        (
            "counts of frames",
            frames(vec![folded, repeated, others.clone(), others]),
        ),
    ]
}

fn outputs(at: At) -> Vec<(&'static str, TestOutput)> {
    let plain = TestOutput::default;
    let none = plain();
    // each field has its lies
    let TestOutput {
        stdout: _,
        stderr: _,
        setups: _,
        scratch: _,
        logs: _,
        attachments: _,
        notes: _,
        denied: _,
    } = &none;
    let long_stream = || Captured {
        head: vec![b'x'; at.many(4 << 20)],
        tail: Vec::new(),
        dropped: u64::MAX,
    };
    let counted = || Captured {
        head: b"x".to_vec(),
        tail: Vec::new(),
        dropped: u64::MAX,
    };
    let one = json!({"tried": "read", "path": "x", "why": "read-only"});
    let denied = json!({"refused": vec![one; at.many(500)], "not_there": [], "left_out": u64::MAX});
    let denied: Denials = serde_json::from_value(denied).expect("it is one");
    let logs = vec!["\u{1b}[2J".to_owned(); at.many(1000)];
    vec![
        (
            "a long stdout",
            TestOutput {
                stdout: long_stream(),
                ..plain()
            },
        ),
        (
            "a long stderr",
            TestOutput {
                stderr: long_stream(),
                ..plain()
            },
        ),
        (
            "all of stdout",
            TestOutput {
                stdout: counted(),
                ..plain()
            },
        ),
        (
            "setups",
            TestOutput {
                setups: vec![wrote(); at.many(500)],
                ..plain()
            },
        ),
        (
            "a scratch",
            TestOutput {
                scratch: Some("/".into()),
                ..plain()
            },
        ),
        ("logs", TestOutput { logs, ..plain() }),
        (
            "notes",
            TestOutput {
                notes: vec!["x".into(); at.many(50_000)],
                ..plain()
            },
        ),
        (
            "a long note",
            TestOutput {
                notes: vec![at.long()],
                ..plain()
            },
        ),
        ("refusals", TestOutput { denied, ..plain() }),
    ]
}

fn wrote() -> SetupOutput {
    SetupOutput {
        path: "c::s::begin".into(),
        of: "s".into(),
        kind: SetupKind::Setup,
        run: SetupRun::Replayed,
        stdout: Captured::default(),
        stderr: Captured::default(),
    }
}

fn failure(path: &str) -> SuiteFailure {
    SuiteFailure::new("s", path, SuitePart::Setup, Cause::new("no"))
}

fn stopped(at: At) -> Lies {
    let of = |task, start, duration, output| {
        FromWorker::Stopped(Box::new(Stopped {
            task,
            start,
            duration,
            output,
            frames: Vec::new(),
            in_host: None,
        }))
    };
    let zero = Duration::ZERO;
    let nothing = TestOutput::default;
    vec![
        ("unasked", of(at.task, zero, zero, nothing())),
        ("a stranger", of(stranger(), zero, zero, nothing())),
        ("a start", of(at.task, Duration::MAX, zero, nothing())),
        ("a duration", of(at.task, zero, Duration::MAX, nothing())),
    ]
}

fn states(at: At) -> Lies {
    let of = |number, beside, wrote| FromWorker::State(number, u64::MAX, beside, wrote);
    let late = Beside {
        clock: Duration::MAX,
        ..Beside::default()
    };
    let many = Beside {
        globals: Globals(vec![
            (u32::MAX, crate::protocol::Value::I32(0));
            at.many(20_000)
        ]),
        ..Beside::default()
    };
    vec![
        (
            "a stranger",
            of(strange_state(), Beside::default(), Vec::new()),
        ),
        ("no file", of(at.snapshot, Beside::default(), Vec::new())),
        ("a clock", of(at.snapshot, late, Vec::new())),
        ("globals", of(at.snapshot, many, Vec::new())),
        (
            "output",
            of(at.snapshot, Beside::default(), vec![wrote(); at.many(500)]),
        ),
    ]
}

fn set_up(at: At) -> Lies {
    let of = |number, result| FromWorker::SetUp(number, Box::new(result));
    let value = |bytes: Vec<u8>| {
        Ok(SetUp {
            value: Some(ByteBuf::from(bytes)),
            wrote: Vec::new(),
        })
    };
    let large = || {
        let mut bytes = vec![0x5a, 0x02, 0, 0, 0];
        bytes.resize(5 + at.many(32 << 20), 0);
        bytes
    };
    let much = Ok(SetUp {
        value: Some(ByteBuf::from(vec![0xf6])),
        wrote: vec![wrote(); at.many(500)],
    });
    let failed = |path| Err(SharedSetupError::Failed(Box::new(failure(path))));
    let list = LoadError::List(Cause::new("no"), Box::default());
    vec![
        ("nothing", of(at.value, Ok(SetUp::default()))),
        ("a stranger", of(strange_value(), Ok(SetUp::default()))),
        ("no value", of(at.value, value(Vec::new()))),
        ("two values", of(at.value, value(vec![0xf6, 0xf6]))),
        (
            "a deep value",
            of(at.value, value(vec![0x81; at.many(10_000)])),
        ),
        ("a large value", of(at.value, value(large()))),
        ("output", of(at.value, much)),
        ("another's failure", of(at.value, failed("c::s::begin"))),
        ("a list", of(at.value, Err(SharedSetupError::Load(list)))),
        (
            "an interrupt",
            of(at.value, Err(SharedSetupError::Interrupted)),
        ),
    ]
}
