//! `wasmtest exec`: what its flags mean.

use super::{UsageError, cache_root, env_grant, seconds, usage};
use crate::cli::{CargoRunnerArgs, ExecArgs};
use crate::exec::{Exec, Output};
use crate::protocol::{StdGaps, UnknownImports};
use std::path::PathBuf;

impl Exec {
    /// Resolves `wasmtest exec`'s flags.
    ///
    /// # Errors
    /// For the first value that makes no sense.
    pub fn of(args: &ExecArgs) -> Result<Exec, UsageError> {
        let mut texts = Vec::new();
        for arg in &args.program {
            match arg.to_str() {
                Some(text) => texts.push(text.to_owned()),
                None => {
                    let text = arg.to_string_lossy();
                    return usage(
                        "FILE or ARGS",
                        format!("`{text}` is not Unicode, as WASI wants it"),
                    );
                }
            }
        }
        let file = PathBuf::from(texts.first().map(String::as_str).unwrap_or_default());
        if let (Some(name), Some(first)) = (&args.argv0, texts.first_mut()) {
            first.clone_from(name);
        }
        let mut env: Vec<(String, String)> = Vec::new();
        for grant in &args.guest.env {
            let (name, value) = env_grant(grant)?;
            env.retain(|(n, _)| *n != name);
            env.push((name, value));
        }
        Ok(Exec {
            file,
            args: texts,
            env,
            dirs: super::dirs(&args.guest.dirs)?,
            wasm_stack: (args.guest.wasm_stack as usize) << 20,
            unknown_imports: UnknownImports::stubbed(args.guest.stub_imports),
            std_gaps: StdGaps::left(args.guest.no_std_gaps),
            cache_root: cache_root(args.cache_dir.as_deref())?,
            timeout: match &args.timeout {
                Some(text) => Some(seconds("--timeout", text)?),
                None => None,
            },
            output: Output::Inherited,
        })
    }

    /// Resolves the call of a program that cargo hands over, without what cargo grants.
    ///
    /// # Errors
    /// As [`Exec::of`].
    pub fn for_cargo(args: &CargoRunnerArgs) -> Result<Exec, UsageError> {
        Exec::of(&ExecArgs {
            program: args.call.clone(),
            guest: args.guest.clone(),
            timeout: args.process_timeout.clone().filter(|t| !t.is_empty()),
            cache_dir: args.cache_dir.clone(),
            argv0: None,
        })
    }
}
