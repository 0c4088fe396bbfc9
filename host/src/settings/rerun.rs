//! The flags with which a test is run again in the mode in which it was run.

use crate::cli::RunOptions;
use crate::text::shell_quote;

pub(crate) fn again(args: &RunOptions) -> String {
    let mut flags = String::new();
    let mut push = |flag: &str, value: Option<&str>| push_flag(&mut flags, flag, value);
    if args.processes.parse() == Ok(0) {
        push("--processes", Some("0"));
    }
    if let Some(timeout) = args.process_timeout.as_deref().filter(|t| !t.is_empty()) {
        push("--process-timeout", Some(timeout));
    }
    if let Some(config) = &args.configuration.config {
        push("--config", Some(&config.display().to_string()));
    }
    if args.configuration.no_config {
        push("--no-config", None);
    }
    for dir in &args.guest.dirs {
        push("--dir", Some(dir));
    }
    for env in &args.guest.env {
        push("--env", Some(env));
    }
    if args.guest.wasm_stack != 8 {
        push("--wasm-stack", Some(&args.guest.wasm_stack.to_string()));
    }
    if args.guest.stub_imports {
        push("--stub-imports", None);
    }
    if args.guest.no_std_gaps {
        push("--no-std-gaps", None);
    }
    if args.no_snapshot {
        push("--no-snapshot", None);
    }
    if args.keep_scratch {
        push("--keep-scratch", None);
    }
    flags
}

/// Adds a flag, and a value as a shell wants it, to a command that is shown.
pub(crate) fn push_flag(flags: &mut String, flag: &str, value: Option<&str>) {
    flags.push(' ');
    flags.push_str(flag);
    if let Some(value) = value {
        flags.push(' ');
        flags.push_str(&shell_quote(value));
    }
}
