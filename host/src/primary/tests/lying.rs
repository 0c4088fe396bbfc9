//! Runs with a worker, a fixture host, a compiler that lies, beside honest ones.
//!
//! Whatever it says: no panic, no end without end, no file touched, each planned test with
//! exactly one verdict, and that of each test that the honest worker ran is the honest one.

use super::lies::{self, At};
use super::world::{Deeds, Lie, TESTS, Verdicts, World, module, peer};
use super::*;
use crate::protocol::{CompileJob, CompileResult, Compiled, LoadError, SnapshotNumber};
use std::fs;
use std::sync::Mutex;

/// When a liar lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// In place of its first word.
    AtOnce,
    /// With nothing to do.
    Ready,
    /// In place of a result.
    InPlace,
    /// After a result that is right.
    Behind,
}

/// Whether this says that its hearer is the worker in the first slot.
fn is_first(message: &ToWorker) -> bool {
    matches!(message, ToWorker::Setup(setup) if setup.own.contains("-w0-"))
}

fn is_work(message: &ToWorker) -> bool {
    matches!(
        message,
        ToWorker::Run(_) | ToWorker::Unit(_) | ToWorker::SetUp(_) | ToWorker::TearDown(_)
    )
}

/// The lie of this number, told then.
fn telling(number: usize, when: When) -> Lie {
    Box::new(move |peer, message| {
        let is_setup = matches!(message, ToWorker::Setup(_));
        let now = match when {
            When::AtOnce | When::Ready => is_setup,
            When::InPlace | When::Behind => is_work(message),
        };
        if !now {
            return None;
        }
        let lie = lies::lie(number, peer.at);
        if matches!(when, When::Ready | When::Behind) {
            let honest = peer.answer(message);
            return Some(honest.and_then(|()| peer.say(&lie)));
        }
        let said = peer.say(&lie);
        match when {
            // nobody is kept waiting for the rest
            When::InPlace => Some(said.and(Err(io::ErrorKind::Other.into()))),
            _ => Some(said),
        }
    })
}

/// Each planned test has one verdict, and that of the honest worker's tests is the honest one.
fn is_fair(verdicts: &Verdicts, deeds: &Deeds, why: &str) {
    // a module that cannot be loaded, of which its own worker is believed, is told as that
    let is_refused = why.ends_with(" its module") || why.ends_with(" its artefact");
    let paths: Vec<&str> = verdicts.ends.keys().map(String::as_str).collect();
    if !is_refused || verdicts.errors.is_empty() {
        assert_eq!(paths, TESTS, "{why}");
    }
    for (path, ends) in &verdicts.ends {
        assert_eq!(ends.len(), 1, "{why}: {path} {ends:?}");
    }
    for path in deeds.passed.lock().expect("no panic").iter() {
        assert_eq!(verdicts.ends[path], [Outcome::Passed], "{why}: {path}");
    }
}

fn one_of_all(when: When, role: Role) {
    let world = World::new(&[("m.wasm", module())]);
    let at = At {
        task: TaskNumber(0),
        module: ModuleNumber(0),
        snapshot: SnapshotNumber(0),
        value: ValueNumber(0),
        told: true,
    };
    for (number, what) in lies::names(at).into_iter().enumerate() {
        let deeds: &'static Deeds = Box::leak(Box::default());
        let lie = telling(number, when);
        let never: Lie = Box::new(|_, _| None);
        let home = fake(move |its, channel| match (its, role) {
            (Role::Compiler, _) => compile(channel),
            (Role::Worker, Role::Worker) => peer(channel, is_first, &lie, deeds),
            (Role::FixtureHost, Role::FixtureHost) => {
                peer(channel, |_| true, &lie, &Deeds::default());
            }
            (Role::FixtureHost, _) => peer(channel, |_| false, &never, &Deeds::default()),
            _ => peer(channel, |_| false, &never, deeds),
        });
        let (_, verdicts) = world.run(home);
        let why = format!("{role:?} {when:?} {what}");
        is_fair(&verdicts, deeds, &why);
    }
}

#[test]
fn a_worker_that_lies_at_once_harms_nobody() {
    one_of_all(When::AtOnce, Role::Worker);
}

#[test]
fn a_worker_that_lies_when_it_has_nothing_to_do_harms_nobody() {
    one_of_all(When::Ready, Role::Worker);
}

#[test]
fn a_worker_that_lies_in_place_of_a_result_harms_nobody_else() {
    one_of_all(When::InPlace, Role::Worker);
}

#[test]
fn a_worker_that_was_honest_and_then_lies_harms_nobody_else() {
    one_of_all(When::Behind, Role::Worker);
}

#[test]
fn a_fixture_host_that_lies_harms_nobody_who_needs_nothing_of_it() {
    for when in [When::AtOnce, When::Ready, When::InPlace, When::Behind] {
        one_of_all(when, Role::FixtureHost);
    }
}

/// A worker that has set the suite up leaves what is no file in the place of the state's.
#[test]
fn a_state_that_is_no_file_is_not_waited_for() {
    let world = World::new(&[("m.wasm", module())]);
    let deeds: &'static Deeds = Box::leak(Box::default());
    let cache = world.cache().join("v1");
    let own: Mutex<String> = Mutex::default();
    let lie: Lie = Box::new(move |peer, message| match message {
        ToWorker::Setup(setup) => {
            own.lock().expect("no panic").clone_from(&setup.own);
            None
        }
        ToWorker::Run(task) => {
            let state = task.snapshot?.number;
            let own = own.lock().expect("no panic").clone();
            let fifo = cache.join(Cache::name_in_a_run(&own, state.0, "state"));
            let path = std::ffi::CString::new(fifo.to_str().expect("UTF-8")).expect("no NUL");
            // SAFETY: the path is a string of this frame's, and ends in NUL.
            unsafe { libc::mkfifo(path.as_ptr(), 0o600) };
            let beside = crate::protocol::Beside::default();
            let told = peer.say(&FromWorker::State(state, 1, beside, Vec::new()));
            Some(told.and_then(|()| peer.passed(task)))
        }
        _ => None,
    });
    let home = fake(move |role, channel| match role {
        Role::Compiler => compile(channel),
        _ => peer(channel, is_first, &lie, deeds),
    });
    let (summary, verdicts) = world.run(home);
    is_fair(&verdicts, deeds, "a FIFO");
    assert!(*deeds.told.lock().expect("no panic") > 0);
    assert_eq!(exit::of(&summary), exit::OK);
    let left = fs::read_dir(world.cache().join("v1")).expect("it is there");
    let names = left.map(|entry| entry.expect("readable").file_name());
    let states = names.filter(|name| name.to_string_lossy().ends_with(".state"));
    assert_eq!(states.count(), 0);
}

#[test]
fn nobody_lists_a_module_who_has_run_another() {
    let world = World::of(6);
    let asked: &'static Mutex<Vec<usize>> = Box::leak(Box::default());
    // the harness asks for a list only what may be libtest's: here each is asked
    let home = || {
        fake(move |role, channel| {
            if role == Role::Compiler {
                return compile(channel);
            }
            let told: Mutex<HashSet<ModuleNumber>> = Mutex::default();
            let watch: Lie = Box::new(move |peer, message| match message {
                ToWorker::Module(spec) => {
                    told.lock().expect("no panic").insert(spec.number);
                    None
                }
                ToWorker::List { module, .. } => {
                    let told = told.lock().expect("no panic");
                    asked.lock().expect("no panic").push(told.len());
                    // whoever knows another would have this believed for ever
                    let tests = match told.len() {
                        1 => vec![ListedTest::named("main", command::NAME)],
                        _ => Vec::new(),
                    };
                    let tests = Ok(Listing {
                        tests,
                        plain: None,
                        holds: Holds::ForTheModule,
                    });
                    Some(peer.say(&FromWorker::Listed {
                        module: *module,
                        tests,
                    }))
                }
                _ => None,
            });
            peer(channel, |_| true, &watch, &Deeds::default());
        })
    };
    let (summary, verdicts) = world.run(home());
    assert_eq!(*asked.lock().expect("no panic"), [1; 6]);
    assert_eq!(summary.passed, 6, "{:?}", verdicts.errors);
    // what is kept is what they told
    let (summary, _) = world.run(home());
    assert_eq!(asked.lock().expect("no panic").len(), 6);
    assert_eq!(summary.passed, 6);
}

#[test]
fn a_module_that_cannot_be_loaded_is_believed_of_who_has_run_no_other() {
    let world = World::of(6);
    let told: &'static Mutex<usize> = Box::leak(Box::default());
    // whose lists are known, of six modules two workers have more than one each, or one has all
    let never: Lie = Box::new(|_, _| None);
    let honest = fake(move |role, channel| match role {
        Role::Compiler => compile(channel),
        _ => peer(channel, |_| false, &never, &Deeds::default()),
    });
    assert_eq!(world.run(honest).0.passed, 6);
    let home = fake(move |role, channel| {
        if role == Role::Compiler {
            return compile(channel);
        }
        let known: Mutex<HashSet<ModuleNumber>> = Mutex::default();
        let lie: Lie = Box::new(move |peer, message| match message {
            ToWorker::Module(spec) => {
                known.lock().expect("no panic").insert(spec.number);
                None
            }
            ToWorker::Run(task) if known.lock().expect("no panic").len() > 1 => {
                *told.lock().expect("no panic") += 1;
                let no = Err(LoadError::Module(crate::event::Cause::new("no")));
                let done = Done::new(task.number, no);
                Some(peer.say(&FromWorker::Done(Box::new(done))))
            }
            _ => None,
        });
        peer(channel, |_| true, &lie, &Deeds::default());
    });
    let (summary, verdicts) = world.run(home);
    assert!(*told.lock().expect("no panic") > 0);
    assert_eq!(summary.passed, 6, "{:?}", verdicts.errors);
    assert_eq!(exit::of(&summary), exit::OK);
}

#[test]
fn a_compiler_that_lies_is_ended_and_heard_no_more() {
    let strange = [
        Compiled::Module(ModuleNumber(usize::MAX)),
        Compiled::State(SnapshotNumber(usize::MAX)),
    ];
    for of in strange {
        let world = World::new(&[("m.wasm", module())]);
        let never: Lie = Box::new(|_, _| None);
        let home = fake(move |role, mut channel| match role {
            Role::Compiler => {
                let _ = read_frame::<CompileJob>(&mut channel);
                let result = CompileResult { of, result: Ok(()) };
                // as long as somebody reads
                while write_frame(&mut channel, &result).is_ok() {}
            }
            _ => peer(channel, |_| false, &never, &Deeds::default()),
        });
        let (summary, verdicts) = world.run(home);
        assert_eq!(exit::of(&summary), exit::LOAD);
        let told = "the compiler reported what it was not given";
        assert_eq!(verdicts.errors.len(), 1, "{:?}", verdicts.errors);
        assert!(verdicts.errors[0].contains(told), "{:?}", verdicts.errors);
    }
}

#[test]
fn after_a_lie_in_place_of_a_list_the_next_run_has_the_right_one() {
    let at = At {
        task: TaskNumber(0),
        module: ModuleNumber(0),
        snapshot: SnapshotNumber(0),
        value: ValueNumber(0),
        told: false,
    };
    for (number, what) in lies::names(at).into_iter().enumerate() {
        // that there is nothing is its own module's word, which is believed
        if !what.starts_with("Listed: ") || what == "Listed: nothing" {
            continue;
        }
        let world = World::of(1);
        let lie: Lie = Box::new(move |peer, message| match message {
            ToWorker::List { .. } => {
                let lie = lies::lie(number, peer.at);
                Some(peer.say(&lie))
            }
            _ => None,
        });
        let lying = fake(move |role, channel| match role {
            Role::Compiler => compile(channel),
            _ => peer(channel, |_| true, &lie, &Deeds::default()),
        });
        let (summary, _) = world.run(lying);
        assert_eq!(
            (summary.passed, exit::of(&summary)),
            (0, exit::LOAD),
            "{what}"
        );
        let never: Lie = Box::new(|_, _| None);
        let honest = fake(move |role, channel| match role {
            Role::Compiler => compile(channel),
            _ => peer(channel, |_| false, &never, &Deeds::default()),
        });
        let (summary, verdicts) = world.run(honest);
        let came = (summary.passed, exit::of(&summary));
        assert_eq!(came, (1, exit::OK), "{what}: {:?}", verdicts.errors);
    }
}

#[test]
fn where_no_process_can_be_started_for_shared_fixtures_what_needs_one_is_not_run() {
    let world = World::new(&[("m.wasm", module())]);
    let deeds: &'static Deeds = Box::leak(Box::default());
    let never: Lie = Box::new(|_, _| None);
    let home = fake_but(Some(Role::FixtureHost), move |role, channel| match role {
        Role::Compiler => compile(channel),
        _ => peer(channel, |_| false, &never, deeds),
    });
    let (summary, verdicts) = world.run(home);
    assert_eq!((summary.passed, summary.not_run), (TESTS.len() - 1, 1));
    assert!(matches!(&verdicts.ends["x"][..], [Outcome::NotRun { .. }]));
    let [error] = &verdicts.errors[..] else {
        panic!("one and no other: {:?}", verdicts.errors);
    };
    assert!(error.contains("no process for shared fixtures"), "{error}");
}

#[test]
fn what_a_worker_wrote_that_told_of_it_no_more_is_not_left_in_the_cache() {
    let world = World::new(&[("m.wasm", module())]);
    let deeds: &'static Deeds = Box::leak(Box::default());
    let setup = Mutex::new(None);
    let dies: Lie = Box::new(move |_, message| {
        let mut setup = setup.lock().expect("no panic");
        if let ToWorker::Setup(told) = message {
            *setup = Some(told.clone());
        }
        let (ToWorker::Run(task), Some(told)) = (message, &*setup) else {
            return None;
        };
        let number = task.snapshot.as_ref()?.number;
        let state = Cache::name_in_a_run(&told.own, number.0, "state");
        let cache = Cache::at(told.cache.clone());
        cache.store_state(&state, b"a state").expect("written");
        Some(Err(io::ErrorKind::Other.into()))
    });
    let home = fake(move |role, channel| match role {
        Role::Compiler => compile(channel),
        // whichever has one of these tests
        Role::Worker => peer(channel, |_| true, &dies, deeds),
        _ => peer(channel, |_| false, &dies, deeds),
    });
    let (_, verdicts) = world.run(home);
    is_fair(&verdicts, deeds, "a worker that dies");
    assert!(*deeds.told.lock().expect("no panic") > 0, "it has died");
    let kept = fs::read_dir(world.cache().join("v1")).expect("made");
    let names = kept.map(|entry| entry.expect("readable").file_name());
    let of_runs: Vec<_> = names
        .filter(|name| name.to_string_lossy().starts_with("run-"))
        .collect();
    assert!(of_runs.is_empty(), "{of_runs:?}");
}
