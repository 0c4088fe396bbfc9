//! What runs with liars are made of: a module, peers that do nothing and say that they have, and
//! what is reported.

use super::lies::At;
use super::*;
use crate::protocol::{SharedTask, SnapshotNumber};
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use wasmtest_section::{Field, Kind, SdkVersion, Tag, record, record_len};

pub(super) const TESTS: [&str; 7] = ["a", "b", "s::a", "s::b", "u::a", "u::b", "x"];

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
pub(super) fn module() -> Vec<u8> {
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

/// What workers have done.
#[derive(Default)]
pub(super) struct Deeds {
    /// Tests that the honest ones passed.
    pub(super) passed: Mutex<Vec<String>>,
    pub(super) told: Mutex<usize>,
}

/// Where a peer is, and what it has been told.
pub(super) struct Peer {
    to: UnixStream,
    pub(super) at: At,
}

impl Peer {
    pub(super) fn say(&mut self, message: &FromWorker) -> io::Result<()> {
        write_frame(&mut self.to, message)
    }

    pub(super) fn passed(&mut self, task: &Task) -> io::Result<()> {
        self.say(&passed(task.number))
    }

    /// What an honest peer does, without doing it.
    pub(super) fn answer(&mut self, message: &ToWorker) -> io::Result<()> {
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
                    plain: None,
                    holds: Holds::ForTheModule,
                }),
            }),
            ToWorker::Module(_)
            | ToWorker::Runs(_)
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
pub(super) type Lie = Box<dyn Fn(&mut Peer, &ToWorker) -> Option<io::Result<()>> + Send + Sync>;

/// Serves as an honest worker does, but for the lies.
pub(super) fn peer(
    channel: UnixStream,
    is_liar: impl Fn(&ToWorker) -> bool,
    lie: &Lie,
    deeds: &Deeds,
) {
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
    for message in messages(&mut from) {
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
pub(super) struct Verdicts {
    pub(super) ends: BTreeMap<String, Vec<Outcome>>,
    pub(super) errors: Vec<String>,
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
pub(super) struct World {
    folder: tempfile::TempDir,
    files: Vec<PathBuf>,
}

impl World {
    pub(super) fn new(modules: &[(&str, Vec<u8>)]) -> World {
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
    pub(super) fn of(count: u8) -> World {
        let names: Vec<String> = (0..count).map(|n| format!("m{n}.wasm")).collect();
        let modules = names
            .iter()
            .zip(0..)
            .map(|(name, n)| (name.as_str(), another(n)));
        World::new(&modules.collect::<Vec<_>>())
    }

    pub(super) fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// A run of two workers with peers that do this.
    pub(super) fn run(&self, home: Home<'static>) -> (Summary, Verdicts) {
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
