//! The kinds of work that are measured.

use super::Bench;
use super::measure::{Cost, cost, in_turns};
use super::report::{Row, ms, us};
use crate::suites;
use crate::target::WASIP1;
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How often what is short is run.
const ROUNDS: usize = 21;
/// How often what takes tenths of seconds is run.
pub(super) const FEW: usize = 5;
/// How often what takes long is run.
pub(super) const ONCE_MORE: usize = 3;

/// Measures one kind of work.
pub(super) type Measured = fn(&Bench<'_>) -> Result<Vec<Row>>;

/// All kinds, with their names.
pub const ALL: [(&str, Measured); 8] = [
    ("1,000 trivial tests", thousand),
    ("10,000 trivial tests", ten_thousand),
    ("the SDK's trivial tests", sdk),
    ("100 modules", hundred_modules),
    ("single tests and programs", single),
    ("tests that wait", waiting),
    ("split suites", split),
    ("output", output),
];

pub(super) fn row(work: &str, ours: String, against: &str, theirs: String) -> Row {
    Row {
        work: work.to_owned(),
        against: against.to_owned(),
        goal: String::new(),
        ours,
        theirs,
        result: String::new(),
        reached: None,
    }
}

impl Row {
    pub(super) fn at_most(self, most: f64, ratio: f64) -> Row {
        Row {
            goal: format!("at most {most}"),
            result: format!("{ratio:.2}"),
            reached: Some(ratio <= most),
            ..self
        }
    }
}

fn thousand(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let file = bench.large("trivial", &["--test", "thousand"])?;
    let mut ours = || cost(&mut bench.run("2", &[&file]));
    bench.warm(&[&file])?;
    let mut rows = Vec::new();
    if let Some(nextest) = &bench.nextest
        && let Some(wasmtime) = &bench.wasmtime
    {
        let manifest = bench.root.join("tests/large/Cargo.toml");
        let mut theirs = || {
            let mut command = Command::new(nextest);
            command.args(["nextest", "run", "--target", WASIP1, "--manifest-path"]);
            command.arg(&manifest);
            command.args(["--package", "trivial", "--test", "thousand"]);
            command.env(
                "CARGO_TARGET_WASM32_WASIP1_RUNNER",
                format!("{} run -C cache=y", wasmtime.display()),
            );
            cost(&mut command)
        };
        let [ours, theirs] = in_turns(ONCE_MORE, [&mut ours, &mut theirs])?;
        let against = "cargo-nextest with wasmtime as target runner";
        let times = theirs.wall / ours.wall;
        rows.push(Row {
            goal: "at least 500 times faster".to_owned(),
            result: format!("{times:.0} times"),
            reached: Some(times >= 500.0),
            ..row(
                "1,000 trivial libtest tests, debug, 2 processes, wall",
                ms(ours.wall),
                against,
                ms(theirs.wall),
            )
        });
    }
    if bench.plain(&file).is_some() {
        let mut theirs = || cost(&mut bench.plain(&file).context("it is there")?);
        theirs()?;
        let [ours, theirs] = in_turns(ROUNDS, [&mut ours, &mut theirs])?;
        let against = "wasmtime, the whole binary in one instance";
        let (mine, other) = (ms(ours.wall), ms(theirs.wall));
        rows.push(row("the same", mine, against, other).at_most(0.6, ours.wall / theirs.wall));
        let ratio = ours.cpu / theirs.cpu;
        let row = row(
            "the same, CPU of all processes",
            ms(ours.cpu),
            against,
            ms(theirs.cpu),
        );
        rows.push(Row {
            result: format!("{ratio:.2}"),
            ..row
        });
    }
    Ok(rows)
}

fn ten_thousand(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let few = bench.large("trivial", &["--test", "thousand"])?;
    let many = bench.large("trivial", &["--test", "ten_thousand"])?;
    let ours = |file: &Path| cost(&mut bench.run("2", &[file]));
    let bare = |file: &Path| cost(bench.bare("direct_loop")?.arg(file));
    for file in [&few, &many] {
        bench.warm(&[file])?;
        bare(file)?;
    }
    let [few_ours, many_ours, few_bare, many_bare] = in_turns(
        FEW * 2,
        [
            &mut || ours(&few),
            &mut || ours(&many),
            &mut || bare(&few),
            &mut || bare(&many),
        ],
    )?;
    let each = |few: Cost, many: Cost| (many.cpu - few.cpu) / 9000.0;
    let (mine, theirs) = (each(few_ours, many_ours), each(few_bare, many_bare));
    let further = row(
        "the same, CPU of each further test: (10,000 - 1,000) / 9,000",
        us(mine),
        "a bare loop over direct runs, the same",
        us(theirs),
    );
    let (at_few, at_many) = (few_ours.cpu / 1e3, many_ours.cpu / 1e4);
    let of_many = row(
        "10,000 trivial libtest tests, CPU a test",
        us(at_many),
        "ourselves at 1,000",
        us(at_few),
    );
    Ok(vec![
        further.at_most(1.5, mine / theirs),
        of_many.at_most(1.5, at_many / at_few),
    ])
}

fn sdk(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let file = bench.large("ten_thousand", &["--lib"])?;
    let mut ours = || cost(&mut bench.run("2", &[&file]));
    let mut bare = || cost(bench.bare("bare_loop")?.arg(&file));
    bench.warm(&[&file])?;
    bare()?;
    let [ours, bare] = in_turns(FEW * 2, [&mut ours, &mut bare])?;
    let row = row(
        "10,000 trivial SDK tests, debug, 2 processes, CPU",
        ms(ours.cpu),
        "a bare loop over the same module",
        ms(bare.cpu),
    );
    Ok(vec![row.at_most(2.0, ours.cpu / bare.cpu)])
}

/// Copies of a module, each with a section that no other has.
fn copies(file: &Path, to: &Path, number: usize) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(to)?;
    let bytes = std::fs::read(file)?;
    let mut made = Vec::new();
    for i in 0..number {
        let copy = to.join(format!("copy_{i:03}.wasm"));
        let name = format!("copy {i:03}");
        let length = u8::try_from(name.len() + 1)?;
        let section = [&[0, length, length - 1][..], name.as_bytes()].concat();
        let whole = [&bytes[..], &section].concat();
        if std::fs::read(&copy).ok().as_ref() != Some(&whole) {
            std::fs::write(&copy, whole)?;
        }
        made.push(copy);
    }
    Ok(made)
}

fn hundred_modules(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let file = bench.large("ten_thousand", &["--test", "thousand"])?;
    let all = copies(&file, &bench.folder.join("copies"), 100)?;
    let all: Vec<&Path> = all.iter().map(PathBuf::as_path).collect();
    let mut many = || cost(&mut bench.run("2", &all));
    let mut few = || cost(&mut bench.run("2", &all[..10]));
    // compiled, and their files known
    bench.warm(&all)?;
    many()?;
    let [many, few] = in_turns(FEW, [&mut many, &mut few])?;
    let (of_many, of_few) = (many.cpu / 1e5, few.cpu / 1e4);
    let cpu = row(
        "100,000 SDK tests in 100 modules, CPU a test",
        us(of_many),
        "ourselves, 10,000 in 10",
        us(of_few),
    );
    let mib = many.memory >> 20;
    let memory = row(
        "the same, most memory of one process",
        format!("{mib} MiB"),
        "",
        String::new(),
    );
    Ok(vec![
        cpu.at_most(1.1, of_many / of_few),
        Row {
            goal: "under 300 MB".to_owned(),
            result: format!("{mib} MiB"),
            reached: Some(many.memory < 300_000_000),
            ..memory
        },
    ])
}

/// One test of a binary's, here.
fn one(bench: &Bench<'_>, file: &Path, test: &str) -> Result<Cost> {
    cost(bench.run("2", &[file]).args(["--exact", "--", test]))
}

/// The same in the plain runtime.
fn plain_one(bench: &Bench<'_>, file: &Path, test: &str) -> Result<Cost> {
    let mut plain = bench.plain(file).context("it is there")?;
    cost(plain.args([test, "--exact"]))
}

fn single(bench: &Bench<'_>) -> Result<Vec<Row>> {
    if bench.wasmtime.is_none() {
        return Ok(Vec::new());
    }
    let folder = bench.folder.join("suites");
    std::fs::create_dir_all(&folder)?;
    let wanted = suites::SUITES.iter().filter(|s| s.name == "regex-syntax");
    suites::fetch(&folder, wanted)?;
    let built = suites::build(&folder, "regex-syntax", "dev", WASIP1)?;
    let (_, file) = built.first().context("it has tests")?;
    let size = std::fs::metadata(file)?.len() as f64 / 1e6;
    let test = "ast::parse::tests::parse_newlines";
    let (mut ours, mut theirs) = (|| one(bench, file, test), || plain_one(bench, file, test));
    let program = program(bench)?;
    let mut our_program = || {
        let mut command = Command::new(&bench.wasmtest);
        command.arg("exec").arg("--cache-dir").arg(&bench.cache);
        cost(command.arg(&program))
    };
    let mut their_program = || cost(&mut bench.plain(&program).context("it is there")?);
    bench.warm(&[file])?;
    theirs()?;
    our_program()?;
    their_program()?;
    let [one, plain, program, plain_program] = in_turns(
        ROUNDS,
        [&mut ours, &mut theirs, &mut our_program, &mut their_program],
    )?;
    let faster = |row: Row, ours: Cost, theirs: Cost| {
        let ratio = ours.wall / theirs.wall;
        Row {
            goal: "faster".to_owned(),
            result: format!("{ratio:.2}"),
            reached: Some(ratio < 1.0),
            ..row
        }
    };
    let against = "wasmtime, the same";
    let test = row(
        &format!("one test of a debug module of {size:.0} MB, start to exit"),
        ms(one.wall),
        against,
        ms(plain.wall),
    );
    let exec = row(
        "`exec` of a small program",
        ms(program.wall),
        against,
        ms(plain_program.wall),
    );
    Ok(vec![
        faster(test, one, plain),
        faster(exec, program, plain_program),
    ])
}

/// A program that says one thing.
fn program(bench: &Bench<'_>) -> Result<PathBuf> {
    let source = bench.folder.join("hello.rs");
    std::fs::write(&source, "fn main() { println!(\"hello\"); }\n")?;
    let program = bench.folder.join("hello.wasm");
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["-O", "--target", WASIP1, "-o"]);
    let status = rustc.arg(&program).arg(&source).status();
    if !status.context("rustc cannot be started")?.success() {
        bail!("{} does not build", source.display());
    }
    settle(&program)?;
    Ok(program)
}

/// Waits until a file is no longer so new that it is read at each start.
fn settle(file: &Path) -> Result<()> {
    const SETTLED: Duration = Duration::from_secs(3);
    let age = std::fs::metadata(file)?.modified()?.elapsed();
    std::thread::sleep(SETTLED.saturating_sub(age.unwrap_or_default()));
    Ok(())
}

fn waiting(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let file = bench.large("trivial", &["--test", "sleeps"])?;
    let mut ours = || cost(&mut bench.run("16", &[&file]));
    bench.warm(&[&file])?;
    let [ours] = in_turns(3, [&mut ours])?;
    let ideal = 200.0 * 0.1 / 16.0;
    let row = row(
        "200 tests that wait 100 ms, 16 processes",
        ms(ours.wall),
        "ideal",
        ms(ideal),
    );
    Ok(vec![row.at_most(1.15, ours.wall / ideal)])
}

fn split(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let file = bench.large("replay", &["--release"])?;
    bench.warm(&[&file])?;
    let output = bench.bare("replay_loop")?.arg(&file).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let bare = |mib: u32| -> Option<f64> {
        let mut lines = text
            .lines()
            .filter_map(|l| serde_json::from_str::<serde_json::Value>(l).ok());
        lines.find(|l| l["suite_mib"] == mib)?["a_test"].as_f64()
    };
    let mut rows = Vec::new();
    for mib in [1, 16, 256] {
        let suite = format!("touches_{mib}::");
        let mut each = Vec::new();
        for _ in 0..FEW {
            let mut run = Command::new(&bench.wasmtest);
            run.args(["run", "--no-config", "--message-format", "json"]);
            run.args(["--processes", "1", "--cache-dir"]);
            run.arg(&bench.cache).arg(&file).args(["--", &suite]);
            each.push(seconds_a_test(&mut run)?);
        }
        each.sort_by(f64::total_cmp);
        let theirs = bare(mib).context("the bare loop tells it")? / 1e6;
        let ours = each[each.len() / 2];
        let work =
            format!("1,000 tests of a split suite with {mib} MiB of state, from test to test");
        let row = row(
            &work,
            us(ours),
            "a bare loop over their replays",
            us(theirs),
        );
        rows.push(row.at_most(2.0, ours / theirs));
    }
    Ok(rows)
}

/// Time from test to test, of the last three quarters: by then the state is mapped.
fn seconds_a_test(run: &mut Command) -> Result<f64> {
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
            Ok((last - first) / (later.len() - 1) as f64)
        }
        _ => bail!("{run:?} did not run its tests"),
    }
}

fn output(bench: &Bench<'_>) -> Result<Vec<Row>> {
    if bench.wasmtime.is_none() {
        return Ok(Vec::new());
    }
    let folder = bench.folder.join("suites");
    std::fs::create_dir_all(&folder)?;
    suites::fetch(&folder, suites::MORE.iter().filter(|s| s.name == "bytes"))?;
    let built = suites::build(&folder, "bytes", "dev", WASIP1)?;
    let found = built.iter().find(|(target, _)| target == "test_bytes");
    let (_, file) = found.context("bytes has this test binary")?;
    let test = "advance_bytes_mut_remaining_capacity";
    let (mut ours, mut theirs) = (|| one(bench, file, test), || plain_one(bench, file, test));
    bench.warm(&[file])?;
    theirs()?;
    let [ours, theirs] = in_turns(3, [&mut ours, &mut theirs])?;
    let row = row(
        "a test of `bytes` that writes 119 MB in 2.86 million lines",
        ms(ours.wall),
        "wasmtime, where libtest captures",
        ms(theirs.wall),
    );
    Ok(vec![row.at_most(2.0, ours.wall / theirs.wall)])
}
