//! Runs with a worker, a fixture host, a compiler that lies, beside honest ones.
//!
//! Whatever it says: no panic, no end without end, no file touched, each planned test with
//! exactly one verdict, and that of each test that the honest worker ran is the honest one.

use super::lies::{self, At};
use super::*;
use crate::protocol::{CompileJob, CompileResult, Compiled, LoadError, SharedTask, SnapshotNumber};
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use wasmtest_section::{Field, Kind, SdkVersion, Tag, record, record_len};

const TESTS: [&str; 7] = ["a", "b", "s::a", "s::b", "u::a", "u::b", "x"];

macro_rules! records {
    ($($kind:expr, $path:expr $(, $tag:expr => $text:expr)*;)*) => {{
        let mut all: Vec<u8> = Vec::new();
        $({
            const FIELDS: &[Field<'static>] =
                &[Field::text(Tag::Path, $path) $(, Field::text($tag, $text))*];
            all.extend(record::<{ record_len(FIELDS) }>(SdkVersion([0, 1, 0]), $kind, FIELDS));
        })*
        all
    }};
}

/// A module with tests of all kinds: plain ones, of a split and of a whole suite, and one that
/// needs a shared fixture.
fn module() -> Vec<u8> {
    let exports: String = TESTS
        .iter()
        .chain(&["s::begin", "u::begin", "shared"])
        .map(|path| format!("(export \"wasmtest:c::{path}\" (func $runs))"))
        .collect();
    let text = format!(
        r#"(module (memory (export "memory") 1)
            (func $runs (result i32) (i32.const 0))
            (func (export "wasmtest-receive:c::shared") (param i32) (result i32) (i32.const 0))
            {exports})"#
    );
    let mut bytes = wat::parse_str(text).expect("it assembles");
    let records = records! {
        Kind::Test, "c::a";
        Kind::Test, "c::b";
        Kind::Suite, "c::s", Tag::Distribution => "split";
        Kind::Hook, "c::s::begin", Tag::Role => "setup";
        Kind::Test, "c::s::a";
        Kind::Test, "c::s::b";
        Kind::Suite, "c::u", Tag::Distribution => "unit";
        Kind::Hook, "c::u::begin", Tag::Role => "setup";
        Kind::Test, "c::u::a";
        Kind::Test, "c::u::b";
        Kind::Fixture, "c::shared", Tag::Distribution => "shared", Tag::Travels => "";
        Kind::Test, "c::x", Tag::Needs => "c::shared";
    };
    let name = wasmtest_section::NAME.as_bytes();
    let length = 1 + name.len() + records.len();
    assert!((128..1 << 14).contains(&length), "two bytes say its length");
    bytes.extend([0, (length & 0x7f) as u8 | 0x80, (length >> 7) as u8]);
    bytes.push(name.len() as u8);
    bytes.extend(name);
    bytes.extend(records);
    bytes
}

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

/// What workers have done.
#[derive(Default)]
struct Deeds {
    /// Tests that the honest ones passed.
    passed: Mutex<Vec<String>>,
    told: Mutex<usize>,
}

/// Where a peer is, and what it has been told.
struct Peer {
    to: UnixStream,
    at: At,
}

impl Peer {
    fn say(&mut self, message: &FromWorker) -> io::Result<()> {
        write_frame(&mut self.to, message)
    }

    fn passed(&mut self, task: &Task) -> io::Result<()> {
        self.say(&passed(task.number))
    }

    /// What an honest peer does, without doing it.
    fn answer(&mut self, message: &ToWorker) -> io::Result<()> {
        match message {
            ToWorker::Setup(_) => self.say(&FromWorker::Ready),
            ToWorker::Run(task) => self.passed(task),
            ToWorker::Unit(tasks) => {
                tasks.iter().try_for_each(|task| self.passed(task))?;
                self.say(&FromWorker::UnitDone(tasks[0].number, Vec::new()))
            }
            ToWorker::Revoke(_) | ToWorker::Interrupt => self.say(&FromWorker::Revoked(Vec::new())),
            ToWorker::SetUp(shared) => {
                let SharedTask {
                    number, travels, ..
                } = **shared;
                let value = travels.then(|| ByteBuf::from(vec![0xf6]));
                let set_up = SetUp {
                    value,
                    wrote: Vec::new(),
                };
                self.say(&FromWorker::SetUp(number, Box::new(Ok(set_up))))
            }
            ToWorker::TearDown(number) => self.say(&FromWorker::TornDown(*number, Vec::new())),
            ToWorker::List { module, .. } => self.say(&FromWorker::Listed {
                module: *module,
                tests: Ok(Listing {
                    tests: vec![ListedTest::named("main", command::NAME)],
                    holds: Holds::ForTheModule,
                }),
            }),
            ToWorker::Module(_)
            | ToWorker::Fixture(_)
            | ToWorker::Value(..)
            | ToWorker::Snapshot(..)
            | ToWorker::Stop { .. } => Ok(()),
        }
    }

    fn note(&mut self, message: &ToWorker) {
        let task = match message {
            ToWorker::Run(task) => Some(task),
            ToWorker::Unit(tasks) => tasks.first(),
            ToWorker::SetUp(shared) => {
                self.at.value = shared.number;
                None
            }
            _ => None,
        };
        if let Some(task) = task {
            self.at.task = task.number;
            let state = task.snapshot.map(|of| of.number);
            self.at.snapshot = state.unwrap_or(self.at.snapshot);
        }
    }
}

/// Whether a peer is to do something for a liar, and what: all is honest but for this.
type Lie = Box<dyn Fn(&mut Peer, &ToWorker) -> Option<io::Result<()>> + Send + Sync>;

/// Serves as an honest worker does, but for the lies.
fn peer(channel: UnixStream, is_liar: impl Fn(&ToWorker) -> bool, lie: &Lie, deeds: &Deeds) {
    let mut from = channel.try_clone().expect("a descriptor is left");
    let mut peer = Peer {
        to: channel,
        at: At {
            task: TaskNumber(0),
            module: ModuleNumber(0),
            snapshot: SnapshotNumber(0),
            value: ValueNumber(0),
            told: true,
        },
    };
    let mut lies = false;
    while let Ok(Some(message)) = read_frame::<ToWorker>(&mut from) {
        lies |= is_liar(&message);
        peer.note(&message);
        let told = match lies {
            true => lie(&mut peer, &message),
            false => None,
        };
        if told.is_some() {
            *deeds.told.lock().expect("no panic") += 1;
        }
        let mut done = told.unwrap_or_else(|| peer.answer(&message));
        if !lies && done.is_ok() {
            let tasks = match &message {
                ToWorker::Run(task) => std::slice::from_ref(task),
                ToWorker::Unit(tasks) => tasks.as_slice(),
                _ => &[],
            };
            let paths = tasks.iter().map(|task| task.path.clone());
            deeds.passed.lock().expect("no panic").extend(paths);
            done = peer.to.flush();
        }
        if done.is_err() {
            break;
        }
    }
}

/// How each test ended, and what errors there were.
#[derive(Default)]
struct Verdicts {
    ends: BTreeMap<String, Vec<Outcome>>,
    errors: Vec<String>,
}

impl Reporter for Verdicts {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Ended(end) | Event::NeverBegun(end) => {
                let ends = self.ends.entry(end.test.id.path.to_string());
                ends.or_default().push(end.outcome.clone());
            }
            Event::ModuleFailed(error) | Event::SuiteFailed(error) => {
                let message = &error.cause.message;
                self.errors.push(format!("{}: {message}", error.module));
            }
            _ => {}
        }
    }

    fn result(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A folder with a module, a cache, and files that are nobody's business.
struct World {
    folder: tempfile::TempDir,
    files: Vec<PathBuf>,
}

impl World {
    fn new(modules: &[(&str, Vec<u8>)]) -> World {
        let folder = tempfile::tempdir().expect("a folder");
        let mut files = Vec::new();
        for (name, bytes) in modules {
            let file = folder.path().join(name);
            fs::write(&file, bytes).expect("written");
            files.push(file);
        }
        fs::write(folder.path().join("canary"), "sings").expect("written");
        World { folder, files }
    }

    /// So many modules, each a program and no two alike.
    fn of(count: u8) -> World {
        let names: Vec<String> = (0..count).map(|n| format!("m{n}.wasm")).collect();
        let modules = names
            .iter()
            .zip(0..)
            .map(|(name, n)| (name.as_str(), another(n)));
        World::new(&modules.collect::<Vec<_>>())
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// A run of two workers with peers that do this.
    fn run(&self, home: Home<'static>) -> (Summary, Verdicts) {
        let words = ["wasmtest", "run", "--no-config", "--processes", "2"];
        let mut words: Vec<String> = words.map(str::to_owned).to_vec();
        let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
        words.extend(["--cache-dir".to_owned(), text(&self.cache())]);
        words.extend(self.files.iter().map(|file| text(file)));
        let Command::Run(args) = Cli::parse_from(words).command else {
            unreachable!("it says `run`");
        };
        let settings = Settings::for_run(&args, &ProcessEnv::read()).expect("they make sense");
        let mut verdicts = Verdicts::default();
        let (summary, ..) = go_with(&settings, Goal::Run, home, 2, &mut verdicts, &mut |_| ())
            .expect("the runner itself works");
        let canary = fs::read_to_string(self.folder.path().join("canary"));
        assert_eq!(canary.expect("it is there"), "sings");
        (summary, verdicts)
    }
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
                peer(channel, |_| true, &lie, &Deeds::default())
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

fn command_module() -> Vec<u8> {
    let text = r#"(module (func (export "_start")) (memory (export "memory") 1))"#;
    wat::parse_str(text).expect("it assembles")
}

/// The same with something that makes it another module.
fn another(number: u8) -> Vec<u8> {
    let mut bytes = command_module();
    bytes.extend([0, 3, 1, b'n', number]);
    bytes
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
