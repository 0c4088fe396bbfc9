//! libtest's command line, as libtest reads it.
//!
//! Takes the arguments after the binary's name and libtest's variables, gives
//! what they mean or libtest's own words about what is wrong with them: both read it with
//! `getopts`. Pure.
//! Unstable options are taken whenever `-Z unstable-options` is given: which
//! compiler built a binary cannot be told from the call.

use getopts::{Matches, Options};
use std::path::PathBuf;

/// Variables that libtest looks at, and nextest's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `RUST_TEST_THREADS`.
    pub threads: Option<String>,
    /// `RUST_TEST_NOCAPTURE`.
    pub nocapture: Option<String>,
    /// `RUST_TEST_SHUFFLE`.
    pub shuffle: Option<String>,
    /// `RUST_TEST_SHUFFLE_SEED`.
    pub shuffle_seed: Option<String>,
    /// Whether nextest calls: `NEXTEST=1`.
    pub nextest: bool,
}

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A line a test.
    #[default]
    Pretty,
    /// A character a test.
    Terse,
    /// A JSON object an event.
    Json,
    /// One JUnit document.
    Junit,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// On a terminal where output is captured.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Which tests, by their mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunIgnored {
    /// Those that are not ignored.
    #[default]
    No,
    /// All.
    Yes,
    /// Those that are ignored.
    Only,
}

/// What a command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// `-h`: nothing else counts.
    pub help: bool,
    /// `--list`.
    pub list: bool,
    /// Names, or parts of them; all tests if there are none.
    pub filters: Vec<String>,
    /// `--exact`.
    pub exact: bool,
    /// `--skip`.
    pub skip: Vec<String>,
    /// `--ignored`, `--include-ignored`.
    pub ignored: RunIgnored,
    /// `--bench`.
    pub bench: bool,
    /// `--test`.
    pub test: bool,
    /// `--exclude-should-panic`.
    pub exclude_should_panic: bool,
    /// `--fail-fast`.
    pub fail_fast: bool,
    /// `--format`, `-q`.
    pub format: Format,
    /// `--nocapture`, `--no-capture`, `RUST_TEST_NOCAPTURE`.
    pub nocapture: bool,
    /// `--show-output`.
    pub show_output: bool,
    /// `--test-threads`, `RUST_TEST_THREADS`.
    pub threads: Option<usize>,
    /// `--color`.
    pub color: Color,
    /// `--logfile`.
    pub logfile: Option<PathBuf>,
    /// `--report-time`.
    pub report_time: bool,
    /// `--ensure-time`.
    pub ensure_time: bool,
    /// `--shuffle`.
    pub shuffle: bool,
    /// `--shuffle-seed`.
    pub shuffle_seed: Option<u64>,
}

impl Parsed {
    /// Whether one test is asked for by its whole name, as nextest does.
    pub fn is_single(&self) -> bool {
        self.exact && self.filters.len() == 1
    }
}

/// Flags that need `-Z unstable-options`, in the order in which libtest looks at them.
const UNSTABLE: [&str; 6] = [
    "force-run-in-process",
    "exclude-should-panic",
    "fail-fast",
    "report-time",
    "ensure-time",
    "shuffle",
];

/// All of libtest's options, in its own order: of several mistakes the first is told.
fn options() -> Options {
    let mut options = Options::new();
    for flag in [
        "include-ignored",
        "ignored",
        "force-run-in-process",
        "exclude-should-panic",
        "test",
        "bench",
        "list",
        "fail-fast",
    ] {
        options.optflag("", flag, "");
    }
    options
        .optflag("h", "help", "")
        .optopt("", "logfile", "", "")
        .optflag("", "no-capture", "")
        // those that can be repeated since Rust 1.101 count by their last value
        .optmulti("", "test-threads", "", "")
        .optmulti("", "skip", "", "")
        .optflag("q", "quiet", "")
        .optflag("", "exact", "")
        .optmulti("", "color", "", "")
        .optopt("", "format", "", "")
        .optflag("", "show-output", "")
        .optopt("Z", "", "", "")
        .optflag("", "report-time", "")
        .optflag("", "ensure-time", "")
        .optflag("", "shuffle", "")
        .optopt("", "shuffle-seed", "", "")
        .optflag("", "nocapture", "");
    options
}

fn only_unstable(what: &str, kind: &str) -> String {
    format!(
        "The \"{what}\" {kind} is only accepted on the nightly compiler with -Z unstable-options"
    )
}

/// Reads a command line.
///
/// # Errors
/// What libtest says of it.
pub fn parse(args: &[String], env: &Environment) -> Result<Parsed, String> {
    let given = options().parse(args).map_err(|e| e.to_string())?;
    if given.opt_present("help") {
        return Ok(Parsed {
            help: true,
            ..Parsed::default()
        });
    }
    let unstable = match given.opt_str("Z").as_deref() {
        None => false,
        Some("unstable-options") => true,
        Some(_) => return Err("Unrecognized option to `Z`".to_owned()),
    };
    if !unstable {
        if let Some(flag) = UNSTABLE.iter().find(|f| given.opt_present(f)) {
            return Err(only_unstable(flag, "flag"));
        }
        if given.opt_present("shuffle-seed") {
            return Err(only_unstable("shuffle-seed", "option"));
        }
    }
    let (shuffle, shuffle_seed) = shuffling(&given, env, unstable)?;
    let ignored = match (
        given.opt_present("include-ignored"),
        given.opt_present("ignored"),
    ) {
        (true, true) => {
            return Err(
                "the options --include-ignored and --ignored are mutually exclusive".to_owned(),
            );
        }
        (true, false) => RunIgnored::Yes,
        (false, true) => RunIgnored::Only,
        (false, false) => RunIgnored::No,
    };
    let list = given.opt_present("list");
    Ok(Parsed {
        help: false,
        list,
        exact: given.opt_present("exact"),
        skip: given.opt_strs("skip"),
        ignored,
        bench: given.opt_present("bench"),
        test: given.opt_present("test"),
        exclude_should_panic: given.opt_present("exclude-should-panic"),
        fail_fast: given.opt_present("fail-fast"),
        nocapture: given.opt_present("nocapture")
            || given.opt_present("no-capture")
            || env.nocapture.as_ref().is_some_and(|v| v != "0"),
        show_output: given.opt_present("show-output"),
        threads: threads(&given, env, list)?,
        color: color(&given)?,
        format: format(&given, unstable)?,
        logfile: given.opt_str("logfile").map(PathBuf::from),
        report_time: given.opt_present("report-time") || given.opt_present("ensure-time"),
        ensure_time: given.opt_present("ensure-time"),
        shuffle,
        shuffle_seed,
        filters: given.free,
    })
}

fn shuffling(
    given: &Matches,
    env: &Environment,
    unstable: bool,
) -> Result<(bool, Option<u64>), String> {
    let mut shuffle = given.opt_present("shuffle");
    let mut seed = match given.opt_str("shuffle-seed").map(|seed| seed.parse()) {
        Some(Ok(seed)) => Some(seed),
        Some(Err(e)) => {
            return Err(format!(
                "argument for --shuffle-seed must be a number (error: {e})"
            ));
        }
        None => None,
    };
    if unstable {
        shuffle |= env.shuffle.as_ref().is_some_and(|v| v != "0");
        if let (None, Some(text)) = (seed, &env.shuffle_seed) {
            let number = text.parse();
            seed =
                Some(number.map_err(|_| {
                    format!("RUST_TEST_SHUFFLE_SEED is `{text}`, should be a number.")
                })?);
        }
    }
    Ok((shuffle, seed))
}

fn threads(given: &Matches, env: &Environment, list: bool) -> Result<Option<usize>, String> {
    let mut threads = None;
    for text in given.opt_strs("test-threads") {
        threads = Some(match text.parse::<usize>() {
            Ok(0) => return Err("argument for --test-threads must not be 0".to_owned()),
            Ok(n) => n,
            Err(e) => {
                return Err(format!(
                    "argument for --test-threads must be a number > 0 (error: {e})"
                ));
            }
        });
    }
    match (&env.threads, threads) {
        // a list needs none
        (Some(text), None) if !list => match text.parse::<usize>() {
            Ok(n) if n > 0 => Ok(Some(n)),
            _ => Err(format!(
                "RUST_TEST_THREADS is `{text}`, should be a positive integer."
            )),
        },
        _ => Ok(threads),
    }
}

fn color(given: &Matches) -> Result<Color, String> {
    let mut color = Color::Auto;
    for when in given.opt_strs("color") {
        color = match when.as_str() {
            "auto" => Color::Auto,
            "always" => Color::Always,
            "never" => Color::Never,
            other => {
                return Err(format!(
                    "argument for --color must be auto, always, or never (was {other})"
                ));
            }
        };
    }
    Ok(color)
}

fn format(given: &Matches, unstable: bool) -> Result<Format, String> {
    match given.opt_str("format").as_deref() {
        None if given.opt_present("quiet") => Ok(Format::Terse),
        None | Some("pretty") => Ok(Format::Pretty),
        Some("terse") => Ok(Format::Terse),
        Some(name @ ("json" | "junit")) if !unstable => Err(only_unstable(name, "format")),
        Some("json") => Ok(Format::Json),
        Some("junit") => Ok(Format::Junit),
        Some(other) => Err(format!(
            "argument for --format must be pretty, terse, json or junit (was {other})"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Parsed, String> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&args, &Environment::default())
    }

    #[test]
    fn words_are_filters_and_options_are_known() {
        let parsed = read("a --exact b --skip c --skip=d --test-threads 3 -- --list").expect("ok");
        assert_eq!(parsed.filters, ["a", "b", "--list"]);
        assert_eq!(parsed.skip, ["c", "d"]);
        assert_eq!(parsed.threads, Some(3));
        assert!(parsed.exact && !parsed.list && !parsed.is_single());
        assert_eq!(read("-q").expect("ok").format, Format::Terse);
        let json = read("-Zunstable-options --format=json").expect("ok");
        assert_eq!(json.format, Format::Json);
        assert_eq!(
            read("--color never --color always").expect("ok").color,
            Color::Always
        );
        // whatever follows is its value
        assert_eq!(read("--skip --exact").expect("ok").skip, ["--exact"]);
        assert!(read("-qh").expect("ok").help);
    }

    #[test]
    fn what_is_wrong_is_said_in_libtests_words() {
        for (line, why) in [
            ("--bogus", "Unrecognized option: 'bogus'"),
            ("--bogus -h", "Unrecognized option: 'bogus'"),
            ("-x", "Unrecognized option: 'x'"),
            ("--exact --exact", "Option 'exact' given more than once"),
            (
                "--nocapture=1",
                "Option 'nocapture' does not take an argument",
            ),
            // the first in libtest's order, not in that of the command line
            (
                "--exact --exact --list --list",
                "Option 'list' given more than once",
            ),
            ("-q --quiet", "Option 'quiet' given more than once"),
            ("-qx", "Unrecognized option: 'x'"),
            ("--=x", "Unrecognized option: ''"),
            ("-h -Z", "Argument to option 'Z' missing"),
            ("-Z foo", "Unrecognized option to `Z`"),
            (
                "--test-threads 0",
                "argument for --test-threads must not be 0",
            ),
            (
                "--shuffle --format json",
                "The \"shuffle\" flag is only accepted on the nightly compiler with -Z unstable-options",
            ),
            (
                "--format json",
                "The \"json\" format is only accepted on the nightly compiler with -Z unstable-options",
            ),
        ] {
            assert_eq!(read(line).expect_err(line), why, "{line}");
        }
    }

    #[test]
    fn variables_count_where_no_option_says_otherwise() {
        let env = Environment {
            threads: Some("x".into()),
            nocapture: Some("1".into()),
            shuffle: Some("1".into()),
            ..Environment::default()
        };
        let read = |line: &str| {
            let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            parse(&args, &env)
        };
        assert!(read("").expect_err("bad").contains("RUST_TEST_THREADS"));
        assert!(read("--list").is_ok());
        let parsed = read("--test-threads 2").expect("ok");
        assert!(parsed.nocapture && !parsed.shuffle);
        let unstable = read("--test-threads 2 -Z unstable-options").expect("ok");
        assert!(unstable.shuffle);
    }
}
