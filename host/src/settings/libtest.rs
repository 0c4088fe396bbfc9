//! What a run for cargo is to do, resolved from libtest's command line and our own options.

use super::{MaxFail, ProcessEnv, Processes, Selection, Settings, TestFile, cache_root, processes};
use crate::cli::libtest::{Color, Environment, Parsed, RunIgnored};
use crate::cli::{CargoRunnerArgs, UsageError};
use crate::config::Config;
use crate::grant::HowToGrant;
use crate::harness::command;
use crate::plan::filter::{Filter, Matching, Of, ShouldPanic};
use crate::plan::{Choice, Ignored};
use crate::protocol::{Benchmarks, Outputs};
use std::io::IsTerminal;
use std::time::{SystemTime, UNIX_EPOCH};

impl Environment {
    /// Those of a process.
    pub fn of_process(process: &ProcessEnv) -> Environment {
        let var = |name| Some(process.var_os(name)?.to_string_lossy().into_owned());
        Environment {
            threads: var("RUST_TEST_THREADS"),
            nocapture: var("RUST_TEST_NOCAPTURE"),
            shuffle: var("RUST_TEST_SHUFFLE"),
            shuffle_seed: var("RUST_TEST_SHUFFLE_SEED"),
            nextest: var("NEXTEST").is_some_and(|v| v == "1"),
        }
    }
}

impl Settings {
    /// Resolves the call of a libtest binary.
    ///
    /// # Errors
    /// For the first of our own options that makes no sense.
    pub fn for_libtest(
        parsed: &Parsed,
        file: TestFile,
        own: &CargoRunnerArgs,
        config: Config,
        process: &ProcessEnv,
    ) -> Result<Settings, UsageError> {
        let selection = Selection {
            paths: Vec::new(),
            unmarked: command::NAME,
            files: vec![file],
            filter: Filter {
                patterns: parsed.filters.clone(),
                skip: parsed.skip.clone(),
                matching: match parsed.exact {
                    true => Matching::Exact,
                    false => Matching::Substring,
                },
                of: Of::Path,
                should_panic: match parsed.exclude_should_panic {
                    true => ShouldPanic::LeftOut,
                    false => ShouldPanic::Meant,
                },
                ..Filter::default()
            },
            choice: choice(parsed),
            cache_root: cache_root(own.cache_dir.as_deref())?,
        };
        let processes = how_many(parsed, process)?;
        let limited = Settings::base(selection, process)
            .limited_to(own.process_timeout.as_deref(), process)?;
        Ok(Settings {
            processes,
            max_fail: match parsed.fail_fast {
                true => MaxFail::After(1),
                false => MaxFail::Unlimited,
            },
            how_to_grant: HowToGrant::Rw,
            outputs: match parsed.nocapture || parsed.show_output || parsed.bench {
                true => Outputs::All,
                false => Outputs::NotPassed,
            },
            shuffle: parsed.shuffle_seed.or_else(|| parsed.shuffle.then(seed)),
            config,
            color: match parsed.color {
                Color::Always => true,
                Color::Never => false,
                Color::Auto => {
                    !parsed.nocapture && process.allows_color() && std::io::stdout().is_terminal()
                }
            },
            ..limited.granting(&own.guest, process)?
        })
    }
}

fn choice(parsed: &Parsed) -> Choice {
    Choice {
        ignored: match parsed.ignored {
            RunIgnored::No => Ignored::Skip,
            RunIgnored::Yes => Ignored::Include,
            // whoever looks for what is ignored, or asks for one test by its name, is to
            // hear of those that cannot run
            RunIgnored::Only if parsed.list || parsed.is_single() => Ignored::OnlyAndUnable,
            RunIgnored::Only => Ignored::Only,
        },
        benchmarks: match (parsed.bench && !parsed.list, parsed.test) {
            (false, _) => Benchmarks::Once,
            (true, false) => Benchmarks::Alone,
            (true, true) => Benchmarks::Measured,
        },
    }
}

/// As many as were asked for; none for a single test, which is begun soonest that way.
fn how_many(parsed: &Parsed, process: &ProcessEnv) -> Result<Processes, UsageError> {
    if parsed.list {
        return Ok(Processes::Workers(1));
    }
    if parsed.is_single() {
        return Ok(Processes::Primary);
    }
    let Processes::Workers(mut n) = processes("auto", process)? else {
        return Ok(Processes::Primary);
    };
    if let Some(threads) = parsed.threads {
        n = threads.min(MOST_WORKERS);
    }
    if parsed.bench {
        // what is measured is not to be disturbed
        n = 1;
    }
    if parsed.exact && !parsed.filters.is_empty() {
        n = n.min(parsed.filters.len());
    }
    Ok(Processes::Workers(n))
}

/// More processes than this help nobody.
const MOST_WORKERS: usize = 1024;

/// A seed that nobody chose.
fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_nanos() as u64)
}
