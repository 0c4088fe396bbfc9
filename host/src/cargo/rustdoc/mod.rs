//! `cargo test --doc`, with this program as its runner, and what it says of each doctest.
//!
//! rustdoc judges most doctests itself, from the exit status of a program or of the
//! compiler, and merged ones are judged by the runner that it calls; both speak
//! libtest's text, which `said` reads. What doctests themselves print is marked there
//! (`channel`), so that it is taken for nothing else; and whatever is read, the run is
//! green only if cargo says so too.

mod cause;
pub(crate) mod channel;
mod parser;
mod process;

use super::configuration::{Configuration, Shape};
use super::project;
use super::stand_ins::{Notes, StandIns};
use super::target::{self, WASIP1};
use crate::cli::cargo::{CargoRest, CargoWasmtest, OF_RUNNER, words_of_build};
use crate::event::{
    Captured, Cause, Format, ModuleError, NotBuilt, Outcome, Ran, TestEnd, TestId, TestInfo,
    TestOutput,
};
use crate::harness::doctest;
use crate::plan::Ignored;
use crate::plan::filter::Matching;
use crate::primary::ExternalResults;
use crate::protocol::{LimitOf, ListedTest};
use crate::settings::{Chosen, ProcessEnv, Settings};
use anyhow::Context as _;
use cause::{cause_of, without_marked};
use channel::Channel;
pub use channel::arguments;
use parser::{By, DoctestResult, DoctestStatus, Group, Line, RustdocParser, Written};
use process::{Child, lines_of};
use std::cell::Cell;
use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant, SystemTime};

/// How often it is looked whether the run was interrupted.
const TICK: Duration = Duration::from_millis(100);

/// A library whose doctests are meant.
#[derive(Clone, Debug)]
pub struct DocLibrary {
    /// Its package, as cargo names it.
    pub package: String,
    /// The library's name, by which cargo announces its doctests.
    pub library: String,
    /// The module's name in the run.
    pub module: String,
    /// The first part of the command that runs its doctests again.
    pub rerun: String,
    /// A dependency of its of which something that can be named was left out of the build.
    pub lacking: Option<String>,
}

/// Doctests that are to be run.
pub struct Doctests<'a> {
    /// Of these libraries.
    pub of: &'a [DocLibrary],
    /// What was asked of cargo.
    pub args: &'a CargoWasmtest,
    /// The build in which stand-ins were needed, if it was one.
    pub(super) stand_ins: Option<&'a StandIns>,
    pub(super) left_out: &'a Notes,
    /// What was asked of the run.
    pub rest: &'a CargoRest,
    /// What cargo's own configuration says.
    pub configuration: &'a Configuration,
    pub target: &'a str,
    /// What that comes to.
    pub settings: &'a Settings,
    /// Whether it was said that cargo builds: once is enough.
    pub has_said_builds: Cell<bool>,
    /// What this process was started with.
    pub process: &'a ProcessEnv,
}

impl Doctests<'_> {
    /// Runs them, and reports each.
    ///
    /// # Errors
    /// If cargo cannot be started or read.
    pub fn run(&self, more: &mut ExternalResults<'_, '_>) -> anyhow::Result<()> {
        if !self.keeps_going() {
            return self.run_of(self.of, more);
        }
        // one whose tests need what does not build would take those of all with it
        for of in self.of.chunks(1) {
            if !more.interrupted() {
                self.run_of(of, more)?;
            }
        }
        Ok(())
    }

    /// Whether what cannot be built is told of, and the rest run.
    fn keeps_going(&self) -> bool {
        self.args.build.keep_going || self.stand_ins.is_some()
    }

    fn run_of(
        &self,
        libraries: &[DocLibrary],
        more: &mut ExternalResults<'_, '_>,
    ) -> anyhow::Result<()> {
        let channel = Channel::new(&self.settings.granted(), &self.settings.host.temp_dir)?;
        let (reader, writer) = std::io::pipe().context("no pipe can be made")?;
        let mut command = self.command(libraries, &channel)?;
        // in one stream, so that it is known whose doctests a line tells of
        command.stderr(writer.try_clone()?).stdout(writer);
        let mut child = Child::spawn(&mut command).context("cargo cannot be started")?;
        // it holds the pipe's other end
        drop(command);
        let lines = lines_of(reader)?;
        let mut said = RustdocParser::new(channel.word());
        let mut told = DoctestProgress::nothing();
        loop {
            let line = match lines.recv_timeout(TICK) {
                Ok(line) => Some(line),
                Err(RecvTimeoutError::Disconnected) => None,
                Err(RecvTimeoutError::Timeout) if more.interrupted() => break,
                // what it has left running may hold the pipe for ever
                Err(RecvTimeoutError::Timeout) if child.has_ended() => None,
                Err(RecvTimeoutError::Timeout) => {
                    more.tick();
                    continue;
                }
            };
            let is_last = line.is_none();
            let came = match line {
                None => said.end(),
                Some(line) => said.line(&line),
            };
            more.tick();
            match came {
                Some(Line::Group(group)) => self.group(more, libraries, &mut told, &group),
                Some(Line::Library(name)) => told.begin(libraries, &name),
                Some(Line::Note(note)) => more.note(&note),
                Some(Line::Waits(what)) => more.note(format!(
                    "the doctests wait: cargo is {what}, which another cargo holds"
                )),
                Some(Line::Builds) if !self.has_said_builds.replace(true) => {
                    more.note("cargo builds what the doctests need");
                }
                Some(Line::Builds) => {}
                None => {}
            }
            if is_last {
                break;
            }
        }
        if more.interrupted() {
            child.end(&lines);
            more.note("the run was ended in its doctests");
            return Ok(());
        }
        let status = child.0.wait().context("cargo cannot be waited for")?;
        if !status.success() && told.failed == 0 {
            match (&said.error, libraries) {
                (Some(error), [of]) if self.keeps_going() && told.order == 0 => {
                    let (name, why) = (of.module.clone(), error.clone());
                    more.not_built(NotBuilt {
                        name,
                        why,
                        missed: self.missed(),
                    });
                }
                _ => {
                    let why = "`cargo test --doc` failed, and no doctest did".to_owned();
                    more.module_failed(broken(told.current(libraries), why, &said.last));
                }
            }
        }
        let unseen = channel.stops().saturating_sub(said.stops);
        if unseen > 0 {
            let why = format!(
                "{unseen} of the doctests that should panic did not: stopped at their limit, or not run at all, which rustdoc takes for a panic"
            );
            more.module_failed(broken(None, why, &[]));
        }
        Ok(())
    }

    fn missed(&self) -> bool {
        !self.args.build.allow_not_built
    }

    /// Reports doctests that were run together.
    fn group(
        &self,
        more: &mut ExternalResults<'_, '_>,
        libraries: &[DocLibrary],
        told: &mut DoctestProgress,
        group: &Group,
    ) {
        let took = told.since.elapsed() / (group.results.len().max(1) as u32);
        told.since = Instant::now();
        let current = told.current(libraries);
        for result in &group.results {
            told.order += 1;
            told.failed += usize::from(result.verdict == DoctestStatus::Failed);
            if let Some(of) = current {
                self.report(more, of, result, told.order, took);
            }
        }
        let read = group.results.len();
        if read != group.announced || current.is_none() {
            let why = format!(
                "rustdoc said that it runs {} doctests, and told how {read} of them ended",
                group.announced
            );
            more.module_failed(broken(current, why, &[]));
        }
    }

    fn command(&self, libraries: &[DocLibrary], channel: &Channel) -> anyhow::Result<Command> {
        let mut command = project::cargo(self.process);
        command.args(["test", "--doc", "--no-fail-fast"]);
        for of in libraries {
            command.arg("--package").arg(&of.package);
        }
        let manifest = self.args.packages.words().only(&["manifest-path"]);
        command.args(manifest.args());
        let build = self.args.build.words();
        let as_built = match self.stand_ins {
            Some(stand_ins) => stand_ins.flags(build),
            None => build.clone(),
        };
        // their words are read, whatever is shown
        let as_built = as_built.without(&["quiet", "verbose", "color"]);
        command.args(words_of_build(&as_built, OsStr::new(self.target)).args());
        if let Some(stand_ins) = self.stand_ins {
            stand_ins.wrap(&mut command);
        }
        self.set_runner(&mut command)?;
        channel.hand_over(self.runner_flags(), &mut command)?;
        command.args(["--color", "never", "--"]);
        command.args(self.libtest_args());
        command.stdin(Stdio::null());
        Ok(command)
    }

    /// Has cargo run doctests with this program, whatever runner is configured: a
    /// variable counts before all files, in whatever shape they have it, and before one for
    /// a `cfg(...)`. Only `--config` counts before that, and is merged with nothing of another shape.
    fn set_runner(&self, command: &mut Command) -> anyhow::Result<()> {
        let runner = channel::runner(self.process)?;
        command.env(target::variable(self.target, "RUNNER"), runner.join(" "));
        let value = match self.configuration.runner_of_flags(self.target) {
            None => return Ok(()),
            Some(Shape::Text) => serde_json::to_string(&runner.join(" "))?,
            Some(Shape::List) => serde_json::to_string(&runner)?,
        };
        let value = format!("target.{}.runner={value}", self.target);
        command.arg("--config").arg(value);
        Ok(())
    }

    /// What the runner needs to run doctests as the other tests are run.
    fn runner_flags(&self) -> Vec<String> {
        let mut flags: Vec<String> = Vec::new();
        let mut push = |flag: &str, value: String| flags.extend([flag.to_owned(), value]);
        let limit = self.settings.timeout.min(self.settings.max_timeout);
        // else the runner says whose limit it is as if somebody had given it
        if self.settings.limit_of != LimitOf::Default {
            push("--process-timeout", limit.as_secs_f64().to_string());
        }
        // the usual one is found there as well, and done without as here
        let cache = &self.settings.selection.cache_root;
        if cache.chosen == Chosen::Asked {
            push("--cache-dir", cache.dir.display().to_string());
        }
        for variable in self.configuration.env() {
            push("--configured-env", variable.name);
        }
        let mut given = self.rest.options.words().only(&OF_RUNNER);
        given.extend(self.rest.grants.words().clone());
        flags.extend(given.args().map(|word| word.to_string_lossy().into_owned()));
        flags
    }

    /// libtest's own arguments: as much of the filter as it can follow.
    fn libtest_args(&self) -> Vec<String> {
        let filter = &self.settings.selection.filter;
        let mut args: Vec<String> = Vec::new();
        match self.settings.selection.choice.ignored {
            Ignored::Skip => {}
            Ignored::Only | Ignored::OnlyAndUnable => args.push("--ignored".to_owned()),
            Ignored::Include => args.push("--include-ignored".to_owned()),
        }
        // one that may mean a module leaves the choice to us
        let in_module = |p: &String| {
            self.of
                .iter()
                .any(|of| format!("{} ", of.module).contains(p.as_str()) || p.contains(&of.module))
        };
        if filter.matching == Matching::Substring && !filter.patterns.iter().any(in_module) {
            args.push("--".to_owned());
            args.extend(filter.patterns.iter().cloned());
        }
        args
    }

    fn report(
        &self,
        more: &mut ExternalResults<'_, '_>,
        of: &DocLibrary,
        result: &DoctestResult,
        order: usize,
        took: Duration,
    ) {
        let listed = ListedTest::named(result.path.as_str(), doctest::NAME);
        let id = TestId {
            module: of.module.as_str().into(),
            path: result.path.as_str().into(),
        };
        let filter = &self.settings.selection.filter;
        if !filter.matches(&id, &listed) || !filter.reaches(&id) {
            return more.filtered_out(1);
        }
        if result.verdict == DoctestStatus::Failed
            && let Some(why) = self.left_out.explanation_of(&compilers(&result.output))
        {
            let name = id.to_string();
            return more.not_built(NotBuilt {
                name,
                why,
                missed: self.missed(),
            });
        }
        let mut notes = Vec::new();
        let outcome = match &result.verdict {
            // it may be refused for that alone; how it is named, by a macro perhaps, cannot be told
            DoctestStatus::Passed
                if result.compile_fail
                    && let Some(name) = &of.lacking =>
            {
                Outcome::Skipped {
                    reason: format!(
                        "compile_fail, and `{name}`, which it may name, is not whole in this build"
                    ),
                }
            }
            DoctestStatus::Passed => Outcome::Passed,
            DoctestStatus::Compiled => Outcome::Skipped {
                reason: "compiled, not run (no_run)".to_owned(),
            },
            DoctestStatus::Ignored(reason) => Outcome::Skipped {
                reason: match reason.as_str() {
                    "" => "ignored".to_owned(),
                    reason => format!("ignored: {reason}"),
                },
            },
            DoctestStatus::Failed => Outcome::Failed(cause_of(&result.output, &mut notes)),
        };
        let source = result.path.split_once(" - ").and_then(|(file, rest)| {
            let line = rest.rsplit_once("(line ")?.1.strip_suffix(')')?;
            Some(format!("{file}:{line}"))
        });
        more.ended(TestEnd {
            test: Arc::new(TestInfo {
                id,
                harness: doctest::NAME,
                format: match self.target {
                    WASIP1 => Format::Core,
                    _ => Format::Component,
                },
                source,
                rerun: of.rerun.as_str().into(),
                unit: None,
                ignored: false,
                ignore_reason: None,
                should_panic: false,
                unable: None,
                benchmark: false,
                tags: Vec::new(),
                description: None,
                timeout: None,
                max_memory: None,
            }),
            // after all modules
            order: (usize::MAX, order),
            outcome,
            ran: Some(Ran {
                compiler: None,
                worker: 0,
                start: SystemTime::now() - took,
                duration: took,
            }),
            output: TestOutput {
                stdout: Captured {
                    head: without_marked(&result.output).into_bytes(),
                    ..Captured::default()
                },
                notes,
                ..TestOutput::default()
            },
        });
    }
}

/// What the compiler has said of a doctest, and nothing of its own.
fn compilers(output: &[Written]) -> String {
    let lines = output.iter().filter(|w| w.by == By::Tools);
    lines.flat_map(|w| [w.line.as_str(), "\n"]).collect()
}

/// What was told until now.
struct DoctestProgress {
    /// The libraries whose doctests were begun, as places in the list of all.
    begun: Vec<usize>,
    /// The one of them whose turn it is.
    current: Option<usize>,
    order: usize,
    failed: usize,
    since: Instant,
}

impl DoctestProgress {
    fn nothing() -> DoctestProgress {
        DoctestProgress {
            begun: Vec::new(),
            current: None,
            order: 0,
            failed: 0,
            since: Instant::now(),
        }
    }

    /// Of two libraries of one name each has its turn.
    fn begin(&mut self, of: &[DocLibrary], library: &str) {
        let all = || (0..of.len()).filter(|at| of[*at].library == library);
        self.current = all().find(|at| !self.begun.contains(at)).or(all().next());
        self.begun.extend(self.current);
        self.since = Instant::now();
    }

    fn current<'a>(&self, of: &'a [DocLibrary]) -> Option<&'a DocLibrary> {
        self.current.map(|at| &of[at])
    }
}

/// Something is wrong that is no doctest's; and what was said last.
fn broken(current: Option<&DocLibrary>, why: String, said: &[String]) -> ModuleError {
    ModuleError {
        module: current.map_or("doctests".into(), |of| of.module.as_str().into()),
        file: None,
        order: usize::MAX,
        what: "cannot be run",
        cause: Cause::new(why),
        output: TestOutput::of_stderr(Captured {
            head: said.join("\n").into_bytes(),
            ..Captured::default()
        }),
    }
}
