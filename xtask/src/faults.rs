//! `cargo xtask faults`: processes of a run are killed and stopped at random, and nothing is lost by it.
//!
//! 2,000 tests (alone, begun from a state, in units, with shared fixtures), run again and again; meanwhile workers,
//! the compiler and the fixture host get SIGKILL or SIGSTOP, as a seed has it. Each run has to end,
//! with one verdict for each test that was planned, with whoever was hit named, and to leave
//! neither a process nor a file behind. When what is hit depends on the machine; what is asked for
//! afterwards does not.

use crate::guest;
use crate::processes::{Handle, children_of};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How to call it.
pub const USAGE: &str = "\
cargo xtask faults [--seeds N] [--kills N] [--first SEED]

  --seeds N     so many runs at least [default: 40]
  --kills N     so many signals in all at least [default: 1000]
  --first SEED  the first run's seed [default: 1]
";

/// A run that has not ended after so long never will: ten times what the slowest takes.
const ENDLESS: Duration = Duration::from_secs(300);
/// By this variable the processes of a run are known.
const MARK: &str = "WASMTEST_FAULTS_RUN";

const COMPILER: &str = "compiler";

/// How much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Runs at least.
    pub seeds: u64,
    /// Signals in all at least.
    pub kills: usize,
    /// The seed of the first run.
    pub first: u64,
}

impl Asked {
    /// Reads the command line's words.
    ///
    /// # Errors
    /// If one is not understood.
    pub fn of(args: &[String]) -> Result<Asked> {
        let mut asked = Asked {
            seeds: 40,
            kills: 1000,
            first: 1,
        };
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let value = words.next().and_then(|v| v.parse().ok());
            match (word.as_str(), value) {
                ("--seeds", Some(n)) => asked.seeds = n,
                ("--kills", Some(n)) => asked.kills = usize::try_from(n)?,
                ("--first", Some(n)) => asked.first = n,
                _ => bail!("`{word}` is not understood\n\n{USAGE}"),
            }
        }
        Ok(asked)
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Figures {
    /// Runs.
    pub runs: usize,
    /// Signals, by role and name.
    pub strikes: BTreeMap<(&'static str, &'static str), usize>,
    /// Verdicts, by outcome.
    pub outcomes: BTreeMap<String, usize>,
    /// Modules that could not be used, and suites and fixtures that were lost.
    pub errors: usize,
    /// Tests of modules that could not be used, so that nobody has planned them.
    pub unknown: usize,
}

impl Figures {
    /// Signals in all.
    pub fn kills(&self) -> usize {
        self.strikes.values().sum()
    }
}

/// Builds the guests and does it, with a line a run.
///
/// # Errors
/// For the first run that is not as it has to be, with its seed.
pub fn faults(root: &Path, wasmtest: &Path, asked: Asked) -> Result<()> {
    let figures = campaign(wasmtest, &modules(root)?, asked, &mut |line| {
        println!("{line}");
    })?;
    println!("\n{} runs, {} signals:", figures.runs, figures.kills());
    for ((role, signal), count) in &figures.strikes {
        println!("  {count:>6}  {signal} to a {role}");
    }
    println!("verdicts:");
    for (outcome, count) in &figures.outcomes {
        println!("  {count:>6}  {outcome}");
    }
    println!(
        "  {:>6}  errors of modules, suites and fixtures",
        figures.errors
    );
    println!(
        "  {:>6}  of modules that could not be compiled or listed",
        figures.unknown
    );
    println!(
        "every run ended, each test that was planned had one verdict, who died is named, nothing was left behind"
    );
    Ok(())
}

fn modules(root: &Path) -> Result<Vec<PathBuf>> {
    let guests = [("thousand", "trivial"), ("held", "many")];
    let built = guests.map(|(package, test)| guest::build_guest(root, package, test));
    built.into_iter().collect()
}

/// Runs these modules' tests again and again, with signals meanwhile.
///
/// # Errors
/// For the first run that is not as it has to be, with its seed.
pub fn campaign(
    wasmtest: &Path,
    modules: &[PathBuf],
    asked: Asked,
    tell: &mut dyn FnMut(&str),
) -> Result<Figures> {
    let folder = Folder::new()?;
    let planned = planned(wasmtest, modules, &folder.0)?;
    tell(&format!("{} tests", planned.len()));
    let mut figures = Figures::default();
    let mut seed = asked.first;
    while figures.runs < usize::try_from(asked.seeds)? || figures.kills() < asked.kills {
        let run = Run {
            wasmtest,
            modules,
            folder: &folder.0,
            seed,
        };
        let before = figures.kills();
        let how = run
            .run(&planned, &mut figures)
            .with_context(|| format!("seed {seed} (`--seeds 1 --kills 1 --first {seed}`)"))?;
        tell(&format!(
            "seed {seed}: {} signals, {how}",
            figures.kills() - before
        ));
        figures.runs += 1;
        seed += 1;
    }
    Ok(figures)
}

/// A folder of this campaign's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Folder> {
        let path = std::env::temp_dir().join(format!("faults-{}", std::process::id()));
        fs::create_dir(&path).with_context(|| format!("{} cannot be made", path.display()))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The ids of all tests.
fn planned(wasmtest: &Path, modules: &[PathBuf], folder: &Path) -> Result<HashSet<String>> {
    let output = Command::new(wasmtest)
        .arg("list")
        .args(modules)
        .args(["--message-format", "json", "--cache-dir"])
        .arg(folder.join("warm"))
        .output()?;
    ensure!(output.status.success(), "they cannot be listed: {output:?}");
    let events = events(&String::from_utf8_lossy(&output.stdout))?;
    let tests = events.iter().filter(|e| e["event"] == "discovered");
    let names = tests.filter_map(|e| e["name"].as_str());
    Ok(names.map(str::to_owned).collect())
}

fn events(text: &str) -> Result<Vec<Value>> {
    let parsed = text
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("no JSON: {line}")));
    parsed.collect()
}

/// Numbers that follow from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % end
    }
}

/// One run of all tests.
struct Run<'a> {
    wasmtest: &'a Path,
    modules: &'a [PathBuf],
    folder: &'a Path,
    seed: u64,
}

impl Run<'_> {
    /// Runs it with signals, and looks at what came of it; says how it ended.
    fn run(&self, planned: &HashSet<String>, figures: &mut Figures) -> Result<String> {
        let mut random = Random(self.seed);
        let scratch = self.folder.join(format!("tmp-{}", self.seed));
        fs::create_dir(&scratch)?;
        // in every third run the compiler is at work
        let cold = self.seed.is_multiple_of(3);
        let cache = self.folder.join(match cold {
            true => format!("cold-{}", self.seed),
            false => "warm".to_owned(),
        });
        let stdout = self.folder.join("stdout");
        let stderr = self.folder.join("stderr");
        let mut child = Command::new(self.wasmtest)
            .arg("run")
            .args(self.modules)
            .args(["--message-format", "json", "--processes"])
            .arg((1 + random.below(4)).to_string())
            .arg("--cache-dir")
            .arg(&cache)
            .env("TMPDIR", &scratch)
            .env(MARK, self.mark())
            .env_remove("WASMTEST_PROCESSES")
            .stdin(Stdio::null())
            .stdout(File::create(&stdout)?)
            .stderr(File::create(&stderr)?)
            .spawn()
            .context("it cannot be started")?;
        let strikes = self.strike(&mut child, &mut random, figures)?;
        let code = child.wait()?.code();
        let said = fs::read_to_string(&stderr)?;
        let read = fs::read_to_string(&stdout)?;
        // a compiler that died is told of in a note, and starts once more
        let died = said
            .lines()
            .filter(|line| line.contains("is started once more"));
        for note in died {
            ensure!(is_named(note), "it is not said what became of it: {note}");
        }
        let verdicts = verdicts(&events(&read)?, planned, &strikes, figures)
            .with_context(|| format!("exit code {code:?}; stderr: {said}"))?;
        let expected = if verdicts.all_passed { [0, 3] } else { [1, 3] };
        ensure!(
            code.is_some_and(|code| expected.contains(&code)),
            "exit code {code:?}: {verdicts:?}; stderr: {said}"
        );
        self.nothing_is_left(&scratch)?;
        fs::remove_dir(&scratch)?;
        if cold {
            let _ = fs::remove_dir_all(&cache);
        }
        Ok(format!("exit code {}", code.unwrap_or(-1)))
    }

    fn mark(&self) -> String {
        format!("{}-{}", std::process::id(), self.seed)
    }

    /// Signals at random until the run has ended.
    fn strike(
        &self,
        run: &mut Child,
        random: &mut Random,
        figures: &mut Figures,
    ) -> Result<Vec<(&'static str, i32)>> {
        let mut strikes = Vec::new();
        let primary = Handle::of(run.id()).context("it is a child")?;
        // were each of them hit no module would ever be there
        let mut compilers = 1 + random.below(3);
        let mut waited = Duration::ZERO;
        loop {
            let pause = Duration::from_micros(2_000 + random.below(60_000));
            if primary.has_ended_within(pause) {
                return Ok(strikes);
            }
            waited += pause;
            if waited > ENDLESS {
                let _ = run.kill();
                let _ = run.wait();
                bail!("it does not end: {strikes:?}");
            }
            let mut children = children(run.id());
            children.retain(|(_, role)| *role != COMPILER || compilers > 0);
            let mut roles: Vec<&str> = children.iter().map(|(_, role)| *role).collect();
            roles.sort_unstable();
            roles.dedup();
            if roles.is_empty() {
                continue;
            }
            let role = roles[usize::try_from(random.below(roles.len() as u64))?];
            let of_role: Vec<u32> = children
                .iter()
                .filter(|(_, r)| *r == role)
                .map(|(process, _)| *process)
                .collect();
            let victim = of_role[usize::try_from(random.below(of_role.len() as u64))?];
            let (signal, name) = match random.below(2) {
                0 => (libc::SIGKILL, "SIGKILL"),
                _ => (libc::SIGSTOP, "SIGSTOP"),
            };
            // it may have ended meanwhile, and its number be another's
            if let Some(victim) = Handle::of(victim)
                && children_of(run.id()).contains(&victim.process())
                && victim.send(signal)
            {
                compilers -= u64::from(role == COMPILER);
                strikes.push((role, signal));
                *figures.strikes.entry((role, name)).or_default() += 1;
            }
        }
    }

    /// Neither a process of the run nor a file in its temporary folder.
    fn nothing_is_left(&self, scratch: &Path) -> Result<()> {
        let mark = format!("{MARK}={}", self.mark());
        for entry in fs::read_dir("/proc")? {
            let entry = entry?;
            let Ok(process) = entry.file_name().to_string_lossy().parse() else {
                continue;
            };
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            let mut variables = environment.split(|b| *b == 0);
            if variables.any(|v| v == mark.as_bytes())
                && let Some(left) = Handle::of(process)
            {
                // one that was killed may be on its way out
                ensure!(
                    left.has_ended_within(Duration::from_secs(10)),
                    "process {process} is left"
                );
            }
        }
        let left: Vec<PathBuf> = fs::read_dir(scratch)?
            .map(|e| e.map(|e| e.path()))
            .collect::<Result<_, _>>()?;
        ensure!(left.is_empty(), "left in TMPDIR: {left:?}");
        Ok(())
    }
}

/// The processes that a run has started, each with what it is.
fn children(of: u32) -> Vec<(u32, &'static str)> {
    let role = |process: u32| {
        let words = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).into_owned();
        let roles = [
            ("__worker", "worker"),
            ("__compiler", COMPILER),
            ("__fixture-host", "fixture host"),
        ];
        let found = roles.into_iter().find(|(word, _)| words.contains(word))?;
        Some((process, found.1))
    };
    children_of(of).into_iter().filter_map(role).collect()
}

/// Whether this says by which of the signals a process ended.
fn is_named(message: &str) -> bool {
    message.contains("signal 9") || message.contains("signal 19")
}

/// What the stream tells of a run.
#[derive(Debug)]
struct Verdicts {
    all_passed: bool,
}

/// Each test that was planned has one verdict, unless its module could not be used, which is told.
fn verdicts(
    events: &[Value],
    planned: &HashSet<String>,
    strikes: &[(&'static str, i32)],
    figures: &mut Figures,
) -> Result<Verdicts> {
    let mut ends: HashMap<&str, Vec<&Value>> = HashMap::new();
    let mut failed_modules: HashSet<&str> = HashSet::new();
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for event in events.iter().filter(|e| e["type"] == "test") {
        if !["ok", "failed", "ignored"]
            .iter()
            .any(|k| event["event"] == *k)
        {
            continue;
        }
        let name = event["name"].as_str().context("every end has one")?;
        let own = &event["wasmtest"];
        match own["outcome"].as_str() {
            Some(outcome) if own["test"].is_string() => {
                ensure!(planned.contains(name), "nobody planned {name}");
                ends.entry(name).or_default().push(own);
                *outcomes.entry(outcome).or_default() += 1;
            }
            // a module, or a suite or fixture
            _ => {
                figures.errors += 1;
                let error = own["error"].as_str().unwrap_or_default();
                ensure!(!error.contains("internal"), "{event}");
                let message = own["message"].as_str().unwrap_or_default();
                ensure!(
                    !message.contains("died") || is_named(message),
                    "it is not said what became of it: {event}"
                );
                failed_modules.insert(name);
            }
        }
    }
    for test in planned {
        let module = test.split(' ').next().unwrap_or_default();
        match ends.get(test.as_str()).map_or(0, Vec::len) {
            1 => {}
            // it could not be listed; or none of any module could
            0 if failed_modules.contains(module) || ends.is_empty() => figures.unknown += 1,
            n => bail!("{test} has {n} verdicts"),
        }
    }
    let crashed = ends
        .values()
        .flatten()
        .filter(|e| e["outcome"] == "crashed");
    let mut blamed = 0;
    for end in crashed {
        blamed += 1;
        let message = end["message"].as_str().unwrap_or_default();
        ensure!(is_named(message), "it is not said what became of it: {end}");
    }
    let workers = strikes.iter().filter(|(role, _)| *role == "worker").count();
    ensure!(
        blamed <= workers,
        "{blamed} tests are blamed for {workers} workers"
    );
    for (outcome, count) in &outcomes {
        *figures.outcomes.entry((*outcome).to_owned()).or_default() += count;
    }
    Ok(Verdicts {
        all_passed: outcomes.keys().all(|o| *o == "passed")
            && failed_modules.is_empty()
            && !ends.is_empty(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_read() {
        let of = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
            Asked::of(&words).ok()
        };
        let default = of(&[]).expect("nothing is needed");
        assert_eq!((default.seeds, default.kills), (40, 1000));
        let few = of(&["--seeds", "2", "--kills", "3"]).expect("both are numbers");
        assert_eq!((few.seeds, few.kills), (2, 3));
        assert_eq!(of(&["--seeds"]), None);
        assert_eq!(of(&["--kill", "3"]), None);
    }

    #[test]
    fn a_test_without_a_verdict_or_with_two_is_found() {
        let planned: HashSet<String> = ["m a", "m b"].map(str::to_owned).into();
        let end = |name: &str| serde_json::json!({"type": "test", "event": "ok", "name": name, "wasmtest": {"test": "t", "outcome": "passed"}});
        let check = |events: &[Value]| {
            verdicts(events, &planned, &[], &mut Figures::default()).map(|v| v.all_passed)
        };
        assert!(check(&[end("m a"), end("m b")]).is_ok_and(|all| all));
        for wrong in [&["m a"][..], &["m a", "m b", "m a"], &["m a", "m b", "m c"]] {
            let events: Vec<Value> = wrong.iter().map(|name| end(name)).collect();
            assert!(check(&events).is_err(), "{wrong:?}");
        }
        let module = serde_json::json!({"type": "test", "event": "failed", "name": "m", "wasmtest": {"error": "cannot be loaded"}});
        assert!(check(&[module]).is_ok_and(|all| !all));
    }
}
