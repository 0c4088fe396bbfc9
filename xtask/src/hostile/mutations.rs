//! Modules that were cut, changed and joined, each put to `wasmtest list` alone.
//!
//! A change is made from a seed and its number alone, so that any of them can be made again.
//! `list` may refuse a file (3), and must then name it. Where what is left of it can still be
//! read it may list its tests (0) or find none (4); the code of a file is not looked at for a
//! list of what can be told without running it. A file that is listed is run, too: whatever
//! comes of that, it is neither a panic nor a run without an end.

use super::make;
use super::watch::{Watched, watch};
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Many changed modules.
#[derive(Debug)]
pub struct Campaign {
    /// The binary under test.
    pub wasmtest: PathBuf,
    /// Where modules and the cache lie; it is ours.
    pub folder: PathBuf,
    pub seed: u64,
}

/// What came of them.
#[derive(Debug, Default)]
pub struct Tally {
    /// How often each pair: a kind of module and change, and the exit code of `list`.
    pub counts: BTreeMap<(String, i32), u64>,
    /// How often each exit code of `run`, where `list` gave 0.
    pub runs: BTreeMap<i32, u64>,
    /// What is wrong, with the number of the change.
    pub complaints: Vec<String>,
    /// The most resident memory of a process, in bytes.
    pub peak: u64,
}

/// No process needs more for so small a module, in bytes.
const MEMORY: u64 = 512 << 20;

impl Campaign {
    /// Makes and lists changed modules, on as many threads as there are CPUs.
    ///
    /// # Errors
    /// If one cannot be written or started.
    pub fn run(&self, numbers: Range<u64>, progress: impl Fn(u64) + Sync) -> Result<Tally> {
        let originals = originals()?;
        let tally = Mutex::new(Tally::default());
        let (next, done) = (AtomicU64::new(numbers.start), AtomicU64::new(0));
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let work = |thread: usize| -> Result<()> {
            let folder = self.folder.join(format!("{thread}"));
            std::fs::create_dir_all(&folder)?;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= numbers.end {
                    return Ok(());
                }
                self.one(number, &originals, &folder, &tally)?;
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                if done % 100 == 0 {
                    progress(done);
                }
            }
        };
        std::thread::scope(|scope| -> Result<()> {
            let all: Vec<_> = (0..threads).map(|t| scope.spawn(move || work(t))).collect();
            for one in all {
                one.join()
                    .map_err(|_| anyhow::anyhow!("a thread panicked"))??;
            }
            Ok(())
        })?;
        Ok(tally
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn one(
        &self,
        number: u64,
        originals: &[(&'static str, Vec<u8>)],
        folder: &Path,
        tally: &Mutex<Tally>,
    ) -> Result<()> {
        let (kind, bytes) = changed(self.seed, number, originals);
        let file = folder.join("mutant.wasm");
        std::fs::write(&file, &bytes)?;
        let listed = self.call("list", &file, folder)?;
        let code = listed.status.code().unwrap_or(-1);
        let mut complaints = complaints(&listed, &[0, 3, 4]);
        let (said, stderr) = (String::from_utf8_lossy(&listed.stdout), &listed.stderr);
        if code == 3 && !stderr.contains("mutant") {
            complaints.push(format!("the file is not named: {stderr}"));
        }
        if code == 0 && !said.lines().all(|l| l.starts_with("mutant")) {
            complaints.push(format!("that is no list: {said}"));
        }
        let ran = match code {
            0 => Some(self.call("run", &file, folder)?),
            _ => None,
        };
        if let Some(ran) = &ran {
            complaints.extend(self::complaints(ran, &[0, 1, 3, 4]));
        }
        let mut tally = tally
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *tally.counts.entry((kind, code)).or_default() += 1;
        tally.peak = tally.peak.max(listed.peak);
        if let Some(ran) = &ran {
            *tally
                .runs
                .entry(ran.status.code().unwrap_or(-1))
                .or_default() += 1;
            tally.peak = tally.peak.max(ran.peak);
        }
        if !complaints.is_empty() {
            let kept = self
                .folder
                .join(format!("mutant-{}-{number}.wasm", self.seed));
            std::fs::write(&kept, &bytes)?;
            let why = complaints.join("; ");
            tally.complaints.push(format!("{}: {why}", kept.display()));
        }
        Ok(())
    }

    fn call(&self, what: &str, file: &Path, folder: &Path) -> Result<Watched> {
        let mut command = Command::new(&self.wasmtest);
        command
            .current_dir(folder)
            .env_remove("WASMTEST_PROCESSES")
            .env_remove("WASMTEST_PROCESS_TIMEOUT")
            .args([what, "--no-config", "--cache-dir"])
            .arg(self.folder.join("cache"));
        if what == "run" {
            command.args(["--process-timeout", "2", "--processes", "1"]);
        }
        watch(command.arg(file), folder).with_context(|| format!("{command:?}"))
    }
}

fn complaints(watched: &Watched, allowed: &[i32]) -> Vec<String> {
    let mut complaints = watched.complaints.clone();
    if !watched.status.code().is_some_and(|c| allowed.contains(&c)) {
        complaints.push(format!("{}: {}", watched.status, watched.stderr));
    }
    if watched.stderr.contains("panicked at") {
        complaints.push(watched.stderr.clone());
    }
    if watched.peak > MEMORY {
        complaints.push(format!(
            "a process had {} MiB of memory",
            watched.peak >> 20
        ));
    }
    complaints
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:32} {:>5} {:>7}", "changed modules", "exit", "times")?;
        for ((kind, code), times) in &self.counts {
            writeln!(f, "{kind:32} {code:>5} {times:>7}")?;
        }
        let runs: Vec<String> = self
            .runs
            .iter()
            .map(|(c, n)| format!("{n} with {c}"))
            .collect();
        writeln!(
            f,
            "those that were listed were run, and ended: {}",
            runs.join(", ")
        )?;
        let all: u64 = self.counts.values().sum();
        writeln!(f, "{all} in all, at most {} MiB a process", self.peak >> 20)?;
        for complaint in &self.complaints {
            writeln!(f, "DOES NOT HOLD: {complaint}")?;
        }
        Ok(())
    }
}

/// What is changed: small ones, of which each byte counts.
///
/// # Errors
/// If one does not assemble.
pub fn originals() -> Result<Vec<(&'static str, Vec<u8>)>> {
    let core = include_str!("core.wat");
    let component = include_str!("component.wat");
    Ok(vec![
        ("core", wat::parse_str(core)?),
        ("component", wat::parse_str(component)?),
        ("sdk", make::sdk(&make::small_suite())),
        (
            "libtest",
            make::libtest_list(3, |n| format!("t{n}: test\n")),
        ),
    ])
}

/// The change of this number: what was changed how, and what came of it.
fn changed(seed: u64, number: u64, from: &[(&'static str, Vec<u8>)]) -> (String, Vec<u8>) {
    let originals: Vec<&[u8]> = from.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    let (at, how, bytes) = change(&mut Random::of(seed, number), &originals);
    (format!("{}, {how}", from[at].0), bytes)
}

/// Changes one of these: which it was, how, and what came of it.
pub fn change(random: &mut Random, from: &[&[u8]]) -> (usize, &'static str, Vec<u8>) {
    let which = random.below(from.len());
    let mut bytes = from[which].to_vec();
    let how = match random.below(5) {
        0 => {
            bytes.truncate(random.below(bytes.len()));
            "cut"
        }
        1 | 2 if !bytes.is_empty() => {
            for _ in 0..=random.below(4) {
                let at = random.below(bytes.len());
                bytes[at] ^= 1 << random.below(8);
            }
            "bits flipped"
        }
        3 if !bytes.is_empty() => {
            // numbers that lengths and counts take badly
            let absurd = [0xff, 0x7f, 0x80, 0, 0xfe, 0x01];
            let at = random.below(bytes.len());
            let end = (at + 1 + random.below(5)).min(bytes.len());
            let byte = absurd[random.below(absurd.len())];
            bytes[at..end].fill(byte);
            "overwritten"
        }
        _ => {
            let other = from[random.below(from.len())];
            let (here, there) = (random.below(bytes.len()), random.below(other.len()));
            bytes.truncate(here);
            bytes.extend(&other[there..]);
            "joined"
        }
    };
    (which, how, bytes)
}

/// Numbers that follow from a seed (splitmix64).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Those of this number's turn.
    pub fn of(seed: u64, number: u64) -> Random {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number);
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One that is smaller than this.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}
