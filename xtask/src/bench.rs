//! `cargo xtask bench`: what 1,000 trivial tests cost, beside one instance for all of them.
//!
//! Speed is a ratio to a peer in the same run, never a bound: machines differ
//! and are busy. The peer is the wasmtime command line (`cargo xtask compat`
//! installs it), which runs the whole binary in one instance.

use crate::compat;
use crate::guest::{self, WASIP1, WASIP2};
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
    sdk(root, wasmtest)
}

/// 10,000 trivial SDK tests, beside the least that they can cost.
fn sdk(root: &Path, wasmtest: &Path) -> Result<()> {
    let manifest = root.join("tests/large/Cargo.toml");
    let manifest = manifest.to_string_lossy();
    let built = guest::build_tests(&["--quiet", "--manifest-path", &manifest, "--target", WASIP1])?;
    let (_, module) = built.first().context("the guest was built")?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args([
        "build",
        "--quiet",
        "--package",
        "wasmtest",
        "--example",
        "bare_loop",
    ]);
    if !cargo.status().context("cargo cannot be started")?.success() {
        bail!("the bare loop does not build");
    }
    let folder = wasmtest.parent().context("it lies in a folder")?;
    let bare_loop = folder.join("examples/bare_loop");
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
