//! A trial a line; one that fails, one that is ignored, one that skips itself, one measured.

use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;
use uses_libtest_mimic::check;

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let line = |name: &str, line: &'static str| {
        Trial::test(name, move || check(line).map_err(Failed::from))
    };
    let trials = vec![
        line("valid", "a=b"),
        line("valid with a kind", "c=").with_kind("line"),
        line("invalid", "nothing").with_ignored_flag(true),
        Trial::test("panics", || panic!("no such line")).with_ignored_flag(true),
        Trial::ignorable_test("skips_itself", || {
            Ok(libtest_mimic::Completion::ignored_with("not today"))
        }),
        Trial::bench("measured", |_| Ok(None)),
    ];
    libtest_mimic::run(&args, trials).exit_code()
}
