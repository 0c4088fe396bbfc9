//! `cargo xtask bench`: what 1,000 trivial tests cost, beside one instance for all of them.
//!
//! Speed is a ratio to a peer in the same run, never a bound: machines differ
//! and are busy. The peer is the wasmtime command line (`cargo xtask compat`
//! installs it), which runs the whole binary in one instance.

use crate::compat;
use crate::guest;
use crate::overshoot;
use crate::target::{WASIP1, WASIP2};
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What one command took.
#[derive(Clone, Copy, Debug)]
struct Cost {
    wall: Duration,
    cpu: Duration,
}

const ROUNDS: usize = 15;

/// Measures and prints.
///
/// # Errors
/// If something does not build or run.
pub fn bench(root: &Path, wasmtest: &Path) -> Result<()> {
    let manifest = root.join("tests/guests/Cargo.toml");
    let cold = tempdir(root, "bench-cold")?;
    let warm = tempdir(root, "bench-warm")?;
    let wasmtime = compat::wasmtime(root);
    if wasmtime.is_none() {
        eprintln!(
            "xtask: no wasmtime command line here to compare with; `cargo xtask compat` installs it"
        );
    }
    println!(
        "1,000 trivial tests, debug build; median of {ROUNDS} rounds, wall and CPU of all processes in ms"
    );
    for target in [WASIP1, WASIP2] {
        let built = guest::build_tests(&[
            "--quiet",
            "--manifest-path",
            &manifest.to_string_lossy(),
            "--target",
            target,
            "-p",
            "thousand",
            "--test",
            "trivial",
        ])?;
        let (_, module) = built.first().context("the guest was built")?;
        let ours = |cache: &Path, processes: &str| {
            let mut command = Command::new(wasmtest);
            command
                .arg("run")
                .arg(module)
                .args(["-q", "--processes", processes, "--cache-dir"])
                .arg(cache);
            command
        };
        cost(&mut ours(&warm, "2"))?;
        let mut rows: Vec<(String, Vec<Cost>)> = [
            "wasmtest, 2 processes, cache warm",
            "wasmtest, 1 process, cache warm",
            "wasmtest, 2 processes, cache cold",
        ]
        .map(|name| (name.to_owned(), Vec::new()))
        .into();
        if wasmtime.is_some() {
            rows.push(("wasmtime, one instance, cache warm".into(), Vec::new()));
            rows.push(("wasmtime, one instance, no cache".into(), Vec::new()));
        }
        // in turns, so that a busy moment hits all of them
        for _ in 0..ROUNDS {
            let mut costs = vec![cost(&mut ours(&warm, "2"))?, cost(&mut ours(&warm, "1"))?];
            std::fs::remove_dir_all(&cold)?;
            costs.push(cost(&mut ours(&cold, "2"))?);
            if let Some(wasmtime) = &wasmtime {
                for cache in ["cache=y", "cache=n"] {
                    costs.push(cost(
                        Command::new(wasmtime)
                            .args(["run", "-C", cache])
                            .arg(module),
                    )?);
                }
            }
            for ((_, row), cost) in rows.iter_mut().zip(costs) {
                row.push(cost);
            }
        }
        println!("\n{target}");
        let medians: Vec<Cost> = rows.iter().map(|(_, costs)| median(costs)).collect();
        for ((name, _), m) in rows.iter().zip(&medians) {
            println!("  {name:<36} {:>8.1} {:>8.1}", ms(m.wall), ms(m.cpu));
        }
        if let [ours, _, cold, peer, peer_cold] = medians.as_slice() {
            println!(
                "  ratio to one instance: warm {:.2} wall, {:.2} CPU; cold {:.2} wall, {:.2} CPU",
                ms(ours.wall) / ms(peer.wall),
                ms(ours.cpu) / ms(peer.cpu),
                ms(cold.wall) / ms(peer_cold.wall),
                ms(cold.cpu) / ms(peer_cold.cpu),
            );
        }
    }
    sdk(root, wasmtest)?;
    replay(root, wasmtest)?;
    overshoot(root, wasmtest)
}

/// By how much guests that do not stop by themselves pass their limit.
///
/// # Errors
/// If one of them cannot be run.
pub fn overshoot(root: &Path, wasmtest: &Path) -> Result<()> {
    let warm = tempdir(root, "bench-warm")?;
    overshoot::measure(wasmtest, &tempdir(root, "bench-overshoot")?, &warm)
}

/// 10,000 trivial SDK tests, beside the least that they can cost.
fn sdk(root: &Path, wasmtest: &Path) -> Result<()> {
    let manifest = root.join("tests/large/Cargo.toml");
    let manifest = manifest.to_string_lossy();
    let built = guest::build_tests(&[
        "--quiet",
        "--manifest-path",
        &manifest,
        "--target",
        WASIP1,
        "-p",
        "ten_thousand",
    ])?;
    let (_, module) = built.first().context("the guest was built")?;
    let bare_loop = example(root, wasmtest, "bare_loop")?;
    let warm = tempdir(root, "bench-warm")?;
    let ours = || {
        let mut command = Command::new(wasmtest);
        command
            .arg("run")
            .arg(module)
            .args(["-q", "--processes", "2", "--cache-dir"])
            .arg(&warm);
        command
    };
    let bare = || {
        let mut command = Command::new(&bare_loop);
        command.arg(module);
        command
    };
    cost(&mut ours())?;
    cost(&mut bare())?;
    let (mut our_costs, mut bare_costs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        our_costs.push(cost(&mut ours())?);
        bare_costs.push(cost(&mut bare())?);
    }
    let (ours, bare) = (median(&our_costs), median(&bare_costs));
    println!("\n10,000 trivial SDK tests, debug build, cache warm");
    for (name, cost) in [
        ("wasmtest, 2 processes", ours),
        ("a bare loop in one process", bare),
    ] {
        println!("  {name:<36} {:>8.1} {:>8.1}", ms(cost.wall), ms(cost.cpu));
    }
    println!(
        "  ratio to the bare loop: {:.2} CPU (at most 3 is the aim)",
        ms(ours.cpu) / ms(bare.cpu)
    );
    Ok(())
}

/// A program beside the runner to compare it with.
fn example(root: &Path, wasmtest: &Path, name: &str) -> Result<PathBuf> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args([
        "build",
        "--quiet",
        "--package",
        "wasmtest",
        "--example",
        name,
    ]);
    if !cargo.status().context("cargo cannot be started")?.success() {
        bail!("the example {name} does not build");
    }
    let folder = wasmtest.parent().context("it lies in a folder")?;
    Ok(folder.join("examples").join(name))
}

/// Split suites: a costly setup, and states of three sizes, beside a loop that does
/// nothing but replay such states.
fn replay(root: &Path, wasmtest: &Path) -> Result<()> {
    let manifest = root.join("tests/large/Cargo.toml");
    let manifest = manifest.to_string_lossy();
    let built = guest::build_tests(&[
        "--quiet",
        "--manifest-path",
        &manifest,
        "--target",
        WASIP1,
        "--release",
        "-p",
        "replay",
    ])?;
    let (_, module) = built.first().context("the guest was built")?;
    let replay_loop = example(root, wasmtest, "replay_loop")?;
    let warm = tempdir(root, "bench-warm")?;
    let ours = |processes: &str, format: &[&str], suite: &str| {
        let mut command = Command::new(wasmtest);
        command
            .arg("run")
            .arg(module)
            .args(["--processes", processes, "--cache-dir"])
            .arg(&warm)
            .args(format)
            .args(["--", suite]);
        command
    };
    // compiled by now
    cost(&mut ours("2", &["-q"], "burns::t_few_0001"))?;
    println!("\nsplit suites, release build, cache warm");
    for (suite, what) in [
        ("burns::", "1,000 tests, a setup of 500 ms"),
        ("changes::", "1,000 tests that change all of 16 MiB"),
    ] {
        let took = cost(&mut ours("2", &["-q"], suite))?;
        println!("  {what:<40} {:>8.0} ms", ms(took.wall));
    }
    let output = Command::new(&replay_loop).arg(module).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let bare = |mib: u32, key: &str| -> Option<f64> {
        let mut lines = text
            .lines()
            .filter_map(|l| serde_json::from_str::<serde_json::Value>(l).ok());
        lines.find(|l| l["state_mib"] == mib)?[key].as_f64()
    };
    println!("  a test that touches 64 KiB of a state     1 process    the bare loop (us)");
    for mib in [1, 16, 256] {
        let mut each = Vec::new();
        for _ in 0..3 {
            let mut run = ours(
                "1",
                &["--message-format", "json"],
                &format!("touches_{mib}::"),
            );
            each.push(micros_a_test(&mut run)?);
        }
        each.sort_by(f64::total_cmp);
        // a large one is begun from as it was written
        let key = match mib {
            ..16 => "64_kib_spread",
            16.. => "64_kib_spread_of_file",
        };
        let bare = bare(mib, key).context("the bare loop tells it")?;
        println!("  {mib:>4} MiB {:>42.1} {bare:>20.1}", each[0]);
    }
    Ok(())
}

/// Time from test to test, of the last three quarters: by then the state is mapped.
fn micros_a_test(run: &mut Command) -> Result<f64> {
    let output = run.stderr(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut starts: Vec<f64> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|event| event["type"] == "test" && event["event"] == "ok")
        .filter_map(|event| event["wasmtest"]["start"].as_f64())
        .collect();
    starts.sort_by(f64::total_cmp);
    let later = &starts[starts.len() / 4..];
    match (later.first(), later.last()) {
        (Some(first), Some(last)) if later.len() > 100 => {
            Ok((last - first) * 1e6 / (later.len() - 1) as f64)
        }
        _ => bail!("{run:?} did not run its tests"),
    }
}

fn tempdir(root: &Path, name: &str) -> Result<PathBuf> {
    let dir = root.join("target").join(name);
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}

fn median(costs: &[Cost]) -> Cost {
    let middle = |mut of: Vec<Duration>| {
        of.sort();
        of[of.len() / 2]
    };
    Cost {
        wall: middle(costs.iter().map(|c| c.wall).collect()),
        cpu: middle(costs.iter().map(|c| c.cpu).collect()),
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Runs a command that must succeed; its CPU time includes its children's.
fn cost(command: &mut Command) -> Result<Cost> {
    let before = children_cpu();
    let began = Instant::now();
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let wall = began.elapsed();
    if !status.context("it cannot be started")?.success() {
        bail!("{command:?} failed");
    }
    Ok(Cost {
        wall,
        cpu: children_cpu() - before,
    })
}

/// CPU time of all children that have ended and were waited for, and of theirs.
fn children_cpu() -> Duration {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage fills the struct, for which all-zero is a valid value too.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr());
        usage.assume_init()
    };
    let time = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000);
    time(usage.ru_utime) + time(usage.ru_stime)
}
