//! What to say of a flag of `cargo wasmtest` that is none where it stands: cargo's own come before
//! `--`, those of the run after it, and some that people know from libtest are called otherwise.

use super::cargo::{CargoRest, CargoWasmtest};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory as _, Parser};
use std::ffi::OsString;

/// Which flags are being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Those before `--`.
    OfCargo,
    /// Those after it.
    OfTheRun,
}

/// libtest's flags that are not ours, and what does the same here.
const OF_LIBTEST: [(&str, &str); 9] = [
    (
        "--list",
        "`wasmtest list FILE` lists the tests of a module that is built (`cargo wasmtest --no-run` names them)",
    ),
    (
        "--format",
        "`cargo wasmtest -- --message-format json` is for programs, `-- -v` for a line a test",
    ),
    (
        "--logfile",
        "`cargo wasmtest -- --report json=FILE` writes what happened to a file",
    ),
    (
        "--report-time",
        "`cargo wasmtest -- -v` shows how long each test took",
    ),
    (
        "--ensure-time",
        "`cargo wasmtest -- --process-timeout SECONDS` is the limit of each test",
    ),
    (
        "--shuffle",
        "tests cannot see each other's traces here, in whatever order they run",
    ),
    (
        "--shuffle-seed",
        "tests cannot see each other's traces here, in whatever order they run",
    ),
    (
        "--exclude-should-panic",
        "tests that should panic are skipped on wasm anyway",
    ),
    (
        "--force-run-in-process",
        "`cargo wasmtest -- --processes 0` runs everything in one process",
    ),
];

/// Reads a command line; a mistake in it ends the process, with advice where there is some.
pub fn parse<T: Parser>(args: impl IntoIterator<Item = OsString>, side: Side) -> T {
    T::try_parse_from(args).unwrap_or_else(|mut error| {
        if error.kind() == ErrorKind::UnknownArgument
            && let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg)
            && let Some(advice) = advice(flag, side)
        {
            // what is only spelled alike, here and in the usage
            error.remove(ContextKind::SuggestedArg);
            let usage = T::command().render_usage();
            error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
            error.insert(
                ContextKind::Suggested,
                ContextValue::StyledStrs(vec![advice.into()]),
            );
        }
        error.exit()
    })
}

fn advice(flag: &str, side: Side) -> Option<String> {
    let name = flag.split_once('=').map_or(flag, |(name, _)| name);
    let other = match side {
        Side::OfCargo => CargoRest::command(),
        Side::OfTheRun => CargoWasmtest::command(),
    };
    if knows(&other, name) {
        return Some(match side {
            Side::OfCargo => format!("'{name}' comes after `--`: cargo wasmtest -- {name}"),
            Side::OfTheRun => format!("'{name}' comes before `--`: cargo wasmtest {name}"),
        });
    }
    let of_libtest = OF_LIBTEST.iter().find(|(known, _)| *known == name);
    of_libtest.map(|(_, instead)| (*instead).to_owned())
}

/// Whether a command has this flag, by any of its names.
fn knows(command: &Command, flag: &str) -> bool {
    command.get_arguments().any(|arg| {
        let long = flag.strip_prefix("--").is_some_and(|name| {
            arg.get_long() == Some(name)
                || arg.get_all_aliases().is_some_and(|all| all.contains(&name))
        });
        let short = flag.strip_prefix('-').and_then(|rest| {
            let mut chars = rest.chars();
            chars.next().filter(|_| chars.next().is_none())
        });
        long || short.is_some() && arg.get_short() == short
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_on_the_wrong_side_is_told_where_it_belongs() {
        let of_cargo = |flag: &str| advice(flag, Side::OfCargo);
        let of_run = |flag: &str| advice(flag, Side::OfTheRun);
        for flag in [
            "--nocapture",
            "--no-capture",
            "--show-output",
            "--test-threads",
            "--rw",
            "--exact",
            "--ignored",
            "-x",
        ] {
            let expected = format!("'{flag}' comes after `--`: cargo wasmtest -- {flag}");
            assert_eq!(of_cargo(flag).as_deref(), Some(expected.as_str()));
        }
        assert!(of_cargo("--test-threads=1").is_some_and(|a| a.ends_with("-- --test-threads")));
        for flag in [
            "--allow-not-built",
            "--keep-going",
            "--workspace",
            "--all",
            "-p",
            "-F",
        ] {
            let expected = format!("'{flag}' comes before `--`: cargo wasmtest {flag}");
            assert_eq!(of_run(flag).as_deref(), Some(expected.as_str()));
        }
        for (flag, _) in OF_LIBTEST {
            assert!(of_cargo(flag).is_some() && of_run(flag).is_some(), "{flag}");
        }
        for flag in ["--no-such-flag", "-", "--"] {
            assert_eq!((of_cargo(flag), of_run(flag)), (None, None), "{flag}");
        }
    }
}
