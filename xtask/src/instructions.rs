//! `cargo xtask instructions`: what a test costs a worker, counted in instructions.
//!
//! Time is of no use as a bound: machines differ and are busy. Instructions are the same each time,
//! so a loss is seen that no clock would show. callgrind counts them, thread by thread; of a run in
//! one process one thread is the worker's. What a start costs is taken out by a second run of fewer
//! tests; what resets a slot of the pool is too, since callgrind does not know the call of the
//! system by which it is done in every ordinary run, and hundreds of kilobytes are cleared instead.

use crate::guest;
use anyhow::{Result, bail, ensure};
use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// No test of the 1,000 may cost more, for a development build: what was counted when this was
/// written last, and a tenth.
const MOST: u64 = 56_500;

/// Counts, prints, and fails if it is too many.
///
/// # Errors
/// If that is so, or something does not build or run; where there is no valgrind, that is told.
pub fn instructions(root: &Path, wasmtest: &Path) -> Result<()> {
    let mut valgrind = Command::new("valgrind");
    let version = valgrind.arg("--version").stdin(Stdio::null()).output();
    if !version.is_ok_and(|output| output.status.success()) {
        eprintln!("xtask: valgrind is not installed: instructions are not counted");
        return Ok(());
    }
    let module = guest::build_guest(root, "thousand", "trivial")?;
    let folder = root.join("target/instructions");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    let run = |name: &str, tests: &str| -> Result<Counted> {
        let out = folder.join(name);
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--separate-threads=yes"]);
        command.arg(format!("--callgrind-out-file={}", out.display()));
        command.arg(wasmtest).args(["run", "-q", "--no-config"]);
        command.args(["--processes", "0", "--cache-dir"]);
        command.arg(folder.join("cache")).arg(&module);
        let output = command.args(["--", tests]).output()?;
        ensure!(
            output.status.success(),
            "{command:?} failed:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        of_worker(&folder, name)
    };
    // compiled, and its list known
    let mut first = Command::new(wasmtest);
    first.args(["run", "-q", "--no-config", "--compiler", "cranelift"]);
    first.arg("--cache-dir");
    let status = first
        .arg(folder.join("cache"))
        .arg(&module)
        .output()?
        .status;
    ensure!(status.success(), "{first:?} failed");
    let (few, many) = (run("hundred", " t00")?, run("thousand", " t0")?);
    ensure!(
        few.is_pooled && many.is_pooled,
        "the worker made no use of its pool of slots"
    );
    let each = many.instructions.saturating_sub(few.instructions) / 900;
    println!("{each} instructions a test in a worker (at most {MOST})");
    if each > MOST {
        bail!("a test costs a worker {each} instructions; {MOST} is the bound");
    }
    Ok(())
}

/// What was counted in a worker's thread.
struct Counted {
    instructions: u64,
    /// Whether instances came from the pool.
    is_pooled: bool,
}

/// The worker's thread among those that callgrind has written files of.
fn of_worker(folder: &Path, name: &str) -> Result<Counted> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if !entry
            .file_name()
            .to_string_lossy()
            .starts_with(&format!("{name}-"))
        {
            continue;
        }
        let costs = costs(&String::from_utf8_lossy(&std::fs::read(entry.path())?));
        let of = |part: &str| -> u64 {
            let found = costs.iter().filter(|(function, _)| function.contains(part));
            found.map(|(_, cost)| cost).sum()
        };
        if of("worker::execute::Executor::run") > 0 {
            let all: u64 = costs.values().sum();
            return Ok(Counted {
                instructions: all - of("memset"),
                is_pooled: of("PoolingInstanceAllocator") > 0,
            });
        }
    }
    bail!("none of the threads in {} is a worker's", folder.display())
}

/// What each function has cost by itself, in a file of callgrind's.
fn costs(text: &str) -> HashMap<String, u64> {
    let mut names: HashMap<&str, &str> = HashMap::new();
    let mut costs: HashMap<&str, u64> = HashMap::new();
    let mut current = "";
    // a line behind `calls=` is what was called, not what called
    let mut is_of_callee = false;
    for line in text.lines() {
        if let Some(function) = line.strip_prefix("fn=").or(line.strip_prefix("cfn=")) {
            let (id, name) = function.split_once(' ').unwrap_or((function, ""));
            if !name.is_empty() {
                names.insert(id, name);
            }
            if line.starts_with("fn=") {
                current = id;
            }
        } else if line.starts_with("calls=") {
            is_of_callee = true;
        } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
            let cost = line.split_whitespace().nth(1);
            let cost = cost.and_then(|cost| cost.parse::<u64>().ok());
            if let (Some(cost), false) = (cost, is_of_callee) {
                *costs.entry(current).or_insert(0) += cost;
            }
            is_of_callee = false;
        }
    }
    let named = |id: &str| names.get(id).copied().unwrap_or(id).to_owned();
    let mut all = HashMap::new();
    for (id, cost) in costs {
        *all.entry(named(id)).or_insert(0) += cost;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_function_costs_is_its_own_and_not_what_it_calls() {
        let file = "\
# callgrind format
events: Ir

fl=(1) a.rs
fn=(1) work
12 5
cfn=(2) memset
calls=3 40
+1 900
* 7
fn=(2)
40 900
-2 1
totals: 913
";
        let costs = costs(file);
        assert_eq!(costs["work"], 12);
        assert_eq!(costs["memset"], 901);
        assert_eq!(costs.values().sum::<u64>(), 913);
    }
}
