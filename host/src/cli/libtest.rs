//! libtest's command line, as libtest reads it.
//!
//! Takes the arguments after the binary's name and libtest's variables, gives
//! what they mean or libtest's own words about what is wrong with them. Pure.
//! Unstable options are taken whenever `-Z unstable-options` is given: which
//! compiler built a binary cannot be told from the call.

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

/// Options that stand alone, each at most once.
const FLAGS: [&str; 19] = [
    "include-ignored",
    "ignored",
    "force-run-in-process",
    "exclude-should-panic",
    "test",
    "bench",
    "list",
    "fail-fast",
    "help",
    "no-capture",
    "nocapture",
    "quiet",
    "exact",
    "show-output",
    "report-time",
    "ensure-time",
    "shuffle",
    "h",
    "q",
];
/// Options with a value, and whether they may be repeated.
const VALUES: [(&str, bool); 7] = [
    ("logfile", false),
    ("test-threads", true),
    ("skip", true),
    ("color", true),
    ("format", false),
    ("shuffle-seed", false),
    ("Z", false),
];
/// Flags that need `-Z unstable-options`, in the order in which libtest looks at them.
const UNSTABLE: [&str; 6] = [
    "force-run-in-process",
    "exclude-should-panic",
    "fail-fast",
    "report-time",
    "ensure-time",
    "shuffle",
];

/// The options of a command line and its other words, before their meaning.
#[derive(Default)]
struct Words {
    options: Vec<(&'static str, Option<String>)>,
    free: Vec<String>,
}

impl Words {
    fn of(args: &[String]) -> Result<Words, String> {
        let mut words = Words::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if arg == "--" {
                words.free.extend(args.cloned());
                break;
            } else if let Some(long) = arg.strip_prefix("--") {
                let (name, value) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (long, None),
                };
                words.take(name, value, &mut args)?;
            } else if arg.len() > 1 && arg.starts_with('-') {
                words.cluster(&arg[1..], &mut args)?;
            } else {
                words.free.push(arg.clone());
            }
        }
        let repeatable = |name: &str| VALUES.iter().any(|(n, many)| *n == name && *many);
        for (at, (name, _)) in words.options.iter().enumerate() {
            if !repeatable(name) && words.options[..at].iter().any(|(n, _)| n == name) {
                return Err(format!("Option '{name}' given more than once"));
            }
        }
        Ok(words)
    }

    /// `-qh`, `-Zunstable-options`.
    fn cluster<'a>(
        &mut self,
        letters: &str,
        args: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), String> {
        for (at, letter) in letters.char_indices() {
            let rest = &letters[at + letter.len_utf8()..];
            let name = letter.to_string();
            if is_value(&name) && !rest.is_empty() {
                return self.take(&name, Some(rest.to_owned()), args);
            }
            self.take(&name, None, args)?;
        }
        Ok(())
    }

    fn take<'a>(
        &mut self,
        name: &str,
        value: Option<String>,
        rest: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), String> {
        if let Some(flag) = FLAGS.iter().find(|f| **f == name) {
            if value.is_some() {
                return Err(format!("Option '{name}' does not take an argument"));
            }
            let flag = match *flag {
                "h" => "help",
                "q" => "quiet",
                flag => flag,
            };
            self.options.push((flag, None));
            return Ok(());
        }
        let Some((option, _)) = VALUES.iter().find(|(n, _)| *n == name) else {
            return Err(format!("Unrecognized option: '{name}'"));
        };
        match value.or_else(|| rest.next().cloned()) {
            Some(value) => self.options.push((option, Some(value))),
            None => return Err(format!("Argument to option '{name}' missing")),
        }
        Ok(())
    }

    fn has(&self, name: &str) -> bool {
        self.options.iter().any(|(n, _)| *n == name)
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.options.iter().filter(move |(n, _)| *n == name);
        named.filter_map(|(_, value)| value.as_deref())
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }
}

fn is_value(name: &str) -> bool {
    VALUES.iter().any(|(n, _)| *n == name)
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
    let words = Words::of(args)?;
    if words.has("help") {
        return Ok(Parsed {
            help: true,
            ..Parsed::default()
        });
    }
    let unstable = match words.value("Z") {
        None => false,
        Some("unstable-options") => true,
        Some(_) => return Err("Unrecognized option to `Z`".to_owned()),
    };
    if !unstable {
        if let Some(flag) = UNSTABLE.iter().find(|f| words.has(f)) {
            return Err(only_unstable(flag, "flag"));
        }
        if words.has("shuffle-seed") {
            return Err(only_unstable("shuffle-seed", "option"));
        }
    }
    let (shuffle, shuffle_seed) = shuffling(&words, env, unstable)?;
    let ignored = match (words.has("include-ignored"), words.has("ignored")) {
        (true, true) => {
            return Err(
                "the options --include-ignored and --ignored are mutually exclusive".to_owned(),
            );
        }
        (true, false) => RunIgnored::Yes,
        (false, true) => RunIgnored::Only,
        (false, false) => RunIgnored::No,
    };
    let list = words.has("list");
    Ok(Parsed {
        help: false,
        list,
        exact: words.has("exact"),
        skip: words.values("skip").map(str::to_owned).collect(),
        ignored,
        bench: words.has("bench"),
        test: words.has("test"),
        exclude_should_panic: words.has("exclude-should-panic"),
        fail_fast: words.has("fail-fast"),
        nocapture: words.has("nocapture")
            || words.has("no-capture")
            || env.nocapture.as_ref().is_some_and(|v| v != "0"),
        show_output: words.has("show-output"),
        threads: threads(&words, env, list)?,
        color: color(&words)?,
        format: format(&words, unstable)?,
        logfile: words.value("logfile").map(PathBuf::from),
        report_time: words.has("report-time") || words.has("ensure-time"),
        ensure_time: words.has("ensure-time"),
        shuffle,
        shuffle_seed,
        filters: words.free,
    })
}

fn shuffling(
    words: &Words,
    env: &Environment,
    unstable: bool,
) -> Result<(bool, Option<u64>), String> {
    let mut shuffle = words.has("shuffle");
    let mut seed = match words.value("shuffle-seed").map(str::parse) {
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

fn threads(words: &Words, env: &Environment, list: bool) -> Result<Option<usize>, String> {
    let mut threads = None;
    for text in words.values("test-threads") {
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

fn color(words: &Words) -> Result<Color, String> {
    let mut color = Color::Auto;
    for when in words.values("color") {
        color = match when {
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

fn format(words: &Words, unstable: bool) -> Result<Format, String> {
    match words.value("format") {
        None if words.has("quiet") => Ok(Format::Terse),
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
