//! `cargo xtask`: see `cargo xtask help`.

use anyhow::{Context as _, Result, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use xtask::{bench, compat, equivalence, faults, guest, hostile, instructions, target};

const HELP: &str = "\
cargo xtask demo                    set everything up, then run the example modules
cargo xtask test [FILTER...]        all tests (with a filter: those end-to-end tests)
cargo xtask guest-cargo -- ARGS     cargo for the targets wasm32-wasip1 and wasm32-wasip2
cargo xtask bench                   what tests cost, beside the wasmtime command line, cargo-nextest and bare
                                    loops; writes BENCHMARKS.md (installs these first: a quarter of an hour)
cargo xtask bench overshoot         by how much guests that do not stop pass their limit
cargo xtask instructions            what a test costs a worker in instructions, with a bound (valgrind)
cargo xtask faults [--seeds N]      2,000 tests while workers, compilers and the fixture host are killed
                                    and stopped at random (`cargo xtask faults --help`)
cargo xtask newest                  have rustup install the newest stable Rust, where it can: what rests
                                    on the words of std, libtest, rustdoc and cargo runs on it too
cargo xtask compat [PART...]        public crates' verdicts natively beside ours and the hints, on
                                    each Rust that is here, and beside the wasmtime command line
                                    and cargo-nextest (`cargo xtask compat --help`)
cargo xtask equivalence             public crates' tests called directly and through libtest: the same verdicts
                                    (`cargo xtask equivalence --help`)
cargo xtask hostile [NAME...]       attacks on the runner, and with --mutations N changed modules
                                    (`cargo xtask hostile --help`)
";

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let command = args.first().map(|a| a.to_string_lossy().into_owned());
    let rest = args.get(1..).unwrap_or_default();
    let result = match command.as_deref() {
        Some("demo") => demo(),
        Some("test") => test(rest),
        Some("guest-cargo") => guest_cargo(rest),
        Some("bench") if rest.first().is_some_and(|a| a == "overshoot") => {
            with_wasmtest(bench::overshoot)
        }
        Some("bench") => bench::bench(&root()).map(|()| ExitCode::SUCCESS),
        Some("instructions") => with_wasmtest(instructions::instructions),
        Some("compat") => compat(rest),
        Some("equivalence") => equivalence(rest),
        Some("faults") => faults(rest),
        Some("hostile") => hostile(rest),
        Some("newest") => {
            xtask::toolchains::install_newest();
            Ok(ExitCode::SUCCESS)
        }
        // of `compat`: what cargo calls in place of a native test binary
        Some("native-runner") => compat::native_runner(rest).map(ExitCode::from),
        None | Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        Some(other) => {
            eprint!("xtask: there is no `{other}`\n\n{HELP}");
            Ok(ExitCode::from(2))
        }
    };
    result.unwrap_or_else(|e| {
        eprintln!("xtask: {e:#}");
        ExitCode::FAILURE
    })
}

/// The workspace's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_owned)
        .unwrap_or_default()
}

fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()).stdin(Stdio::null());
    cargo
}

fn done(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("{:?} cannot be started", command.get_program()))?;
    if !status.success() {
        bail!("{command:?} failed: {status}");
    }
    Ok(())
}

/// Hands over to cargo; its exit code is ours.
fn guest_cargo(args: &[OsString]) -> Result<ExitCode> {
    let args = args.strip_prefix(&[OsString::from("--")]).unwrap_or(args);
    let status = guest::cargo(args)?
        .status()
        .context("cargo cannot be started")?;
    Ok(match status.code() {
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        None => ExitCode::FAILURE,
    })
}

/// Builds wasmtest and gives its path.
fn build_wasmtest() -> Result<PathBuf> {
    eprintln!(
        "xtask: building wasmtest (the first time compiles wasmtime: some minutes on 2 cores)"
    );
    done(cargo().args(["build", "--package", "wasmtest"]))?;
    Ok(target_folder().join("debug/wasmtest"))
}

fn with_wasmtest(task: impl FnOnce(&Path, &Path) -> Result<()>) -> Result<ExitCode> {
    task(&root(), &build_wasmtest()?)?;
    Ok(ExitCode::SUCCESS)
}

fn equivalence(args: &[OsString]) -> Result<ExitCode> {
    let args: Vec<String> = args
        .iter()
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    if args.iter().any(|a| a == "--help" || a == "-h") {
        print!("{}", equivalence::USAGE);
        return Ok(ExitCode::SUCCESS);
    }
    let asked = equivalence::Asked::of(&args)?;
    with_wasmtest(|root, wasmtest| equivalence::equivalence(root, wasmtest, &asked))
}

fn compat(args: &[OsString]) -> Result<ExitCode> {
    let args: Vec<String> = args
        .iter()
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    if args.iter().any(|a| a == "--help" || a == "-h") {
        print!("{}", compat::USAGE);
        return Ok(ExitCode::SUCCESS);
    }
    let asked = compat::Asked::of(&args)?;
    with_wasmtest(|root, wasmtest| compat::compat(root, wasmtest, &asked))
}

fn faults(args: &[OsString]) -> Result<ExitCode> {
    let args: Vec<String> = args
        .iter()
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    if args.iter().any(|a| a == "--help" || a == "-h") {
        print!("{}", faults::USAGE);
        return Ok(ExitCode::SUCCESS);
    }
    let asked = faults::Asked::of(&args)?;
    with_wasmtest(|root, wasmtest| faults::faults(root, wasmtest, asked))
}

fn hostile(args: &[OsString]) -> Result<ExitCode> {
    let args: Vec<String> = args
        .iter()
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    if args.iter().any(|a| a == "--help" || a == "-h") {
        print!("{}", hostile::USAGE);
        return Ok(ExitCode::SUCCESS);
    }
    let asked = hostile::Asked::of(&args)?;
    let wasmtest = match &asked.wasmtest {
        Some(file) => file.clone(),
        None => build_wasmtest()?,
    };
    let holds = hostile::hostile(&root(), &wasmtest, &asked)?;
    Ok(ExitCode::from(u8::from(!holds)))
}

fn demo() -> Result<ExitCode> {
    let wasmtest = build_wasmtest()?;
    eprintln!(
        "xtask: building the examples for {} and {}",
        target::WASIP1,
        target::WASIP2
    );
    let manifest = root().join("examples/Cargo.toml");
    let mut modules = Vec::new();
    for target in [target::WASIP1, target::WASIP2] {
        let manifest = manifest.to_string_lossy();
        let mut args = vec![
            "--manifest-path",
            &manifest,
            "--target",
            target,
            "-p",
            "passing",
        ];
        args.extend(["-p", "side_by_side"]);
        let built = guest::build_tests(&args)?;
        modules.extend(built.into_iter().map(|(_, file)| file));
    }
    let shown: Vec<PathBuf> = modules
        .iter()
        .map(|m| m.strip_prefix(root()).unwrap_or(m).to_owned())
        .collect();
    let mut run = Command::new(wasmtest);
    run.current_dir(root())
        .arg("run")
        .args(&shown)
        .args(["--processes", "4"]);
    eprintln!(
        "xtask: wasmtest run {} --processes 4",
        shown
            .iter()
            .map(|m| m.display().to_string())
            .collect::<Vec<_>>()
            .join(" ")
    );
    let status = run.status().context("wasmtest cannot be started")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn test(filters: &[OsString]) -> Result<ExitCode> {
    // asked for once, here, so that no test has to
    guest::cargo(&[])?;
    if !filters.is_empty() {
        let mut some = cargo();
        some.args(["test", "--package", "wasmtest", "--test", "end_to_end"]);
        done(some.arg("--").args(filters))?;
        return Ok(ExitCode::SUCCESS);
    }
    // the documentation first: it is built in seconds, and the tests take minutes
    let mut doc = cargo();
    doc.args(["doc", "--quiet", "--no-deps", "--lib", "--workspace"])
        .arg("--document-private-items");
    done(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
    done(cargo().args(["test", "--workspace", "--all-targets"]))?;
    done(cargo().args(["test", "--workspace", "--doc"]))?;
    Ok(ExitCode::SUCCESS)
}

fn target_folder() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}
