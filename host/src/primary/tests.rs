//! Workers that lie: whatever they say, it is an error of the runner's own and no pass.

mod lies;
mod lying;
mod world;

use super::peer::{FakePeer, Role};
use super::*;
use crate::cli::{Cli, Command};
use crate::event::Outcome;
use crate::exit;
use crate::harness::command;
use crate::protocol::suites::ValueNumber;
use crate::protocol::{
    Done, Holds, ListedTest, Listing, PassedTest, Place, ResultWriter, SetUp, Task, ToWorker,
    read_frame, write_frame,
};
use crate::settings::ProcessEnv;
use clap::Parser as _;
use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;

/// What a primary says, until it says no more.
fn messages(from: &mut UnixStream) -> impl Iterator<Item = ToWorker> + use<'_> {
    let frames = std::iter::from_fn(|| read_frame::<ToWorker>(from).ok()?);
    frames.flat_map(|message| {
        let mut each = Vec::new();
        message.each(|message| each.push(message));
        each
    })
}

/// Serves a primary as a worker does, but for what it says of a test.
fn serve(channel: UnixStream, answer: impl Fn(&mut UnixStream, &Task) -> io::Result<()>) {
    serve_these(channel, &["a", "b"], answer);
}

/// The same with these tests.
fn serve_these(
    mut channel: UnixStream,
    tests: &[&str],
    answer: impl Fn(&mut UnixStream, &Task) -> io::Result<()>,
) {
    let mut from = channel.try_clone().expect("a descriptor is left");
    for message in messages(&mut from) {
        let written = match message {
            ToWorker::Setup(_) => write_frame(&mut channel, &FromWorker::Ready),
            ToWorker::List { module, .. } => {
                let tests = tests.iter();
                let tests = tests.map(|t| ListedTest::named(*t, command::NAME));
                let tests = Ok(Listing {
                    tests: tests.collect(),
                    plain: None,
                    holds: Holds::ForTheRun,
                });
                write_frame(&mut channel, &FromWorker::Listed { module, tests })
            }
            ToWorker::Run(task) => answer(&mut channel, &task),
            _ => Ok(()),
        };
        if written.is_err() {
            break;
        }
    }
}

fn passed(task: TaskNumber) -> FromWorker {
    Done::passed(task, 1, 1).into_message()
}

/// What is reported of a run: how its tests ended, and its errors.
#[derive(Default)]
struct Said {
    outcomes: Vec<Outcome>,
    errors: Vec<(String, &'static str, String)>,
}

impl Reporter for Said {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Ended(end) => self.outcomes.push(end.outcome.clone()),
            Event::ModuleFailed(error) => {
                let module = error.module.to_string();
                let message = error.cause.message.clone();
                self.errors.push((module, error.what, message));
            }
            _ => {}
        }
    }

    fn result(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where peers do this.
fn fake(does: impl Fn(Role, UnixStream) + Send + Sync + 'static) -> Home<'static> {
    fake_but(None, does)
}

/// The same where none of this role can be started.
fn fake_but(
    lacks: Option<Role>,
    does: impl Fn(Role, UnixStream) + Send + Sync + 'static,
) -> Home<'static> {
    fake_with_results(lacks, move |role, channel, _| does(role, channel))
}

/// The same with what workers tell without a message.
fn fake_with_results(
    lacks: Option<Role>,
    does: impl Fn(Role, UnixStream, Option<File>) + Send + Sync + 'static,
) -> Home<'static> {
    let serves = Box::new(does);
    Home::Fake(Box::leak(Box::new(FakePeer { serves, lacks })))
}

/// Compiles as a compiler does.
fn compile(channel: UnixStream) {
    let from = channel.try_clone().expect("a descriptor is left");
    let _ = crate::module::compile::serve(from, channel, Place::Thread);
}

/// Two tests on one worker that does this.
fn run_with(worker: fn(UnixStream)) -> (Summary, Said) {
    run_with_results(move |channel, _| worker(channel))
}

/// The same of one that is given what needs no message.
fn run_with_results(worker: impl Fn(UnixStream, File) + Send + Sync + 'static) -> (Summary, Said) {
    let folder = tempfile::tempdir().expect("a folder");
    let module = folder.path().join("m.wasm");
    let text = r#"(module (func (export "_start")) (memory (export "memory") 1))"#;
    std::fs::write(&module, wat::parse_str(text).expect("it assembles")).expect("written");
    let mut words = vec!["wasmtest", "run", "--no-config", "--processes", "1"];
    let cache = folder.path().join("cache");
    words.extend(["--cache-dir", cache.to_str().expect("UTF-8")]);
    words.push(module.to_str().expect("UTF-8"));
    let Command::Run(args) = Cli::parse_from(words).command else {
        unreachable!("it says `run`");
    };
    let settings = Settings::for_run(&args, &ProcessEnv::read()).expect("they make sense");
    let mut said = Said::default();
    let home = fake_with_results(None, move |role, channel, results| match (role, results) {
        (Role::Worker, Some(results)) => worker(channel, results),
        _ => compile(channel),
    });
    let (summary, ..) = go_with(&settings, Goal::Run, home, 1, &mut said, &mut |_| ())
        .expect("the runner itself works");
    (summary, said)
}

/// Nothing passed, every test is accounted for, and the error is told.
fn is_refused(worker: fn(UnixStream), why: &str) {
    let (summary, said) = run_with(worker);
    assert_eq!(summary.passed, 0, "{why}");
    assert_eq!(exit::of(&summary), exit::LOAD, "{why}");
    assert_eq!(said.outcomes.len(), 2, "{why}: {:?}", said.outcomes);
    for outcome in &said.outcomes {
        assert!(matches!(outcome, Outcome::Crashed(_)), "{why}: {outcome:?}");
    }
    assert!(!said.errors.is_empty(), "{why}");
    for (module, what, message) in &said.errors {
        assert_eq!(
            (module.as_str(), *what),
            ("wasmtest", "had an internal error")
        );
        assert!(message.starts_with("worker 1 sent "), "{message}");
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn a_worker_that_does_not_lie_is_believed() {
    let (summary, said) =
        run_with(|channel| serve(channel, |to, task| write_frame(to, &passed(task.number))));
    assert_eq!(summary.passed, 2);
    assert_eq!(exit::of(&summary), exit::OK);
    assert!(said.errors.is_empty());
}

fn passed_in(task: TaskNumber) -> PassedTest {
    PassedTest {
        task,
        start: 1,
        duration: 1,
    }
}

/// Tells of each test without a message, then does this.
fn without_messages(
    writes: impl Fn(&mut ResultWriter, TaskNumber) + Send + Sync + 'static,
    then: fn(&mut UnixStream, &File) -> io::Result<()>,
) -> (Summary, Said) {
    run_with_results(move |channel, results| {
        let mut writer = ResultWriter::open(&results).expect("it is one");
        let writer = std::cell::RefCell::new(&mut writer);
        serve(channel, |to, task| {
            writes(&mut writer.borrow_mut(), task.number);
            then(to, &results)
        });
    })
}

fn say_results(to: &mut UnixStream, _: &File) -> io::Result<()> {
    write_frame(to, &FromWorker::Results)
}

#[test]
fn results_need_no_message_each_and_outlive_who_told_them() {
    let honest = |results: &mut ResultWriter, task| results.passed(passed_in(task));
    let (summary, said) = without_messages(honest, say_results);
    assert_eq!(summary.passed, 2);
    assert_eq!(exit::of(&summary), exit::OK);
    assert!(said.errors.is_empty());
    // it is gone before it has said that there is anything
    let (summary, _) = without_messages(honest, |_, _| Err(io::ErrorKind::Other.into()));
    assert_eq!(summary.passed, 2);
    assert_eq!(exit::of(&summary), exit::OK);
}

#[test]
fn results_that_make_no_sense_are_no_pass() {
    let refused = |writes: fn(&mut ResultWriter, TaskNumber), then, why: &str| {
        let (summary, said) = without_messages(writes, then);
        assert_eq!(summary.passed, 0, "{why}");
        assert_eq!(exit::of(&summary), exit::LOAD, "{why}");
        assert_eq!(said.outcomes.len(), 2, "{why}: {:?}", said.outcomes);
        let told = said.errors.iter().any(|(.., told)| told.contains(why));
        assert!(told, "{why}: {:?}", said.errors);
    };
    refused(
        |results, task| results.passed(passed_in(TaskNumber(task.0 + 1000))),
        say_results,
        "word of results that are not there",
    );
    refused(
        |results, task| {
            let mut late = passed_in(task);
            late.duration = u64::MAX;
            results.passed(late);
        },
        say_results,
        "a duration longer than its life",
    );
    refused(
        |results, task| results.passed(passed_in(task)),
        |to, results| {
            results.set_len(0)?;
            write_frame(to, &FromWorker::Results)?;
            // there is nothing to write to any more
            Err(io::ErrorKind::Other.into())
        },
        "word of results that are not there",
    );
}

#[test]
fn results_that_are_told_of_without_end_are_an_error_and_count_once() {
    let honest = |results: &mut ResultWriter, task| {
        for _ in 0..2 {
            results.passed(passed_in(task));
        }
    };
    let (summary, said) = without_messages(honest, |to, _| {
        (0..100).try_for_each(|_| write_frame(to, &FromWorker::Results))
    });
    assert_eq!(exit::of(&summary), exit::LOAD);
    assert_eq!(said.outcomes.len(), 2);
    assert!(!said.errors.is_empty());
}

#[test]
fn case_26_a_result_that_nobody_asked_for_is_an_internal_error_and_no_pass() {
    let stranger = |channel| {
        serve(channel, |to, task| {
            write_frame(to, &passed(TaskNumber(task.number.0 + 1000)))
        });
    };
    is_refused(stranger, "a result that nobody asked for");
    let unit = |channel| {
        serve(channel, |to, task| {
            write_frame(to, &FromWorker::UnitDone(task.number, Vec::new()))
        });
    };
    is_refused(unit, "the end of a suite that nobody asked for");
    let shared = |channel| {
        serve(channel, |to, _| {
            write_frame(
                to,
                &FromWorker::SetUp(ValueNumber(0), Box::new(Ok(SetUp::default()))),
            )
        });
    };
    is_refused(shared, "word of a shared fixture");
}

#[test]
fn case_26_a_result_that_comes_twice_is_an_internal_error_and_counts_once() {
    let (summary, said) = run_with(|channel| {
        serve(channel, |to, task| {
            write_frame(to, &passed(task.number))?;
            write_frame(to, &passed(task.number))
        });
    });
    assert_eq!(exit::of(&summary), exit::LOAD);
    assert_eq!(said.outcomes.len(), 2);
    assert!(
        said.errors
            .iter()
            .all(|(_, what, _)| *what == "had an internal error")
    );
    assert!(!said.errors.is_empty());
}

#[test]
fn case_26_a_result_in_a_shape_that_nobody_expects_is_an_internal_error_and_no_pass() {
    let words = |channel| serve(channel, |to, _| write_frame(to, &"all is well"));
    is_refused(words, "what makes no sense");
    let another = |channel| {
        serve(channel, |to, task| {
            write_frame(to, &("Passed", task.number.0))
        });
    };
    is_refused(another, "what makes no sense");
    let endless = |channel| serve(channel, |to, _| to.write_all(&[0xff; 64]));
    is_refused(endless, "what makes no sense");
    // also right behind one that is in order
    let (summary, said) = run_with(|channel| {
        serve(channel, |to, task| {
            let mut bytes = Vec::new();
            write_frame(&mut bytes, &passed(task.number))?;
            write_frame(&mut bytes, &task.path)?;
            to.write_all(&bytes)
        });
    });
    assert_eq!(exit::of(&summary), exit::LOAD);
    let told = |(_, _, message): &(_, _, String)| message.contains("what makes no sense");
    assert!(!said.errors.is_empty() && said.errors.iter().all(told));
}

#[test]
fn workers_that_die_one_after_the_other_are_replaced_so_often_and_no_oftener() {
    let names: Vec<String> = (0..50).map(|i| format!("t{i:02}")).collect();
    let (summary, said) = run_with(|channel| {
        let names: Vec<String> = (0..50).map(|i| format!("t{i:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        serve_these(channel, &names, |_, _| Err(io::ErrorKind::Other.into()));
    });
    assert_eq!(said.outcomes.len(), names.len(), "each has one verdict");
    let crashed = |o: &&Outcome| matches!(o, Outcome::Crashed(_));
    assert_eq!(said.outcomes.iter().filter(crashed).count(), 20);
    let rest = said.outcomes.iter().filter(|o| !crashed(o));
    for outcome in rest {
        let cause = outcome.cause().expect("it is told");
        assert!(
            cause.message.starts_with(
                "it was not run: no worker is left: worker processes die one after the other"
            ),
            "{outcome:?}"
        );
    }
    assert_eq!(exit::of(&summary), exit::FAILED);
}

#[test]
fn a_test_that_ends_between_deaths_makes_them_count_anew() {
    let (_, said) = run_with(|channel| {
        let names: Vec<String> = (0..50).map(|i| format!("t{i:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        // every other one is the worker's last
        serve_these(channel, &names, |to, task| {
            match task.path.ends_with(['0', '2', '4', '6', '8']) {
                true => Err(io::ErrorKind::Other.into()),
                false => write_frame(to, &passed(task.number)),
            }
        });
    });
    let counted = |which: fn(&Outcome) -> bool| said.outcomes.iter().filter(|o| which(o)).count();
    assert_eq!(counted(|o| matches!(o, Outcome::Crashed(_))), 25);
    assert_eq!(counted(|o| *o == Outcome::Passed), 25);
}
