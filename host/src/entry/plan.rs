//! `wasmtest plan`: what goes where, as a tree.

use crate::cli::PlanArgs;
use crate::plan::tree::{Detail, PlanLine, host_fixtures, tree};
use crate::report::Trouble;
use crate::report::output::Output;
use crate::settings::{ProcessEnv, Settings};
use crate::text::one_line;
use crate::{exit, primary};
use anyhow::Context as _;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

/// Shows what goes where; gives the exit code.
///
/// # Errors
/// If a flag makes no sense, or the plan cannot be made or written.
pub(super) fn plan(args: &PlanArgs, process: &ProcessEnv) -> anyhow::Result<u8> {
    let settings = Settings::for_plan(args, process)?;
    let detail = match args.verbose {
        true => Detail::Tests,
        false => Detail::Suites,
    };
    let mut trouble = Trouble::plain(settings.verbosity);
    let (summary, mut plans) = primary::plan(&settings, &mut trouble)?;
    plans.sort_by_key(|p| p.order);
    let mut out = Output::new(BufWriter::new(io::stdout()));
    for p in &plans {
        let why = &p.no_snapshots;
        let mut lines = tree(
            &p.module,
            &p.plan,
            &p.module_fixtures,
            why,
            p.splitting,
            detail,
        );
        lines.extend(host_fixtures(&p.host_fixtures, detail));
        write_plan(&mut out, &lines);
    }
    out.result().context("the plan cannot be written")?;
    let nothing = plans.iter().all(|p| p.plan.tests() == 0);
    Ok(exit::of_list(&summary, nothing))
}

/// Prints a part of it: what goes how stands in one column.
fn write_plan(out: &mut Output<impl Write>, lines: &[PlanLine]) {
    const WIDEST: usize = 76;
    let text = |line: &PlanLine| format!("{}{}", "  ".repeat(line.depth), one_line(&line.text));
    let wide = |line: &&PlanLine| !line.tests.is_empty();
    let widths = lines.iter().filter(wide).map(|l| text(l).chars().count());
    let column = widths.filter(|w| *w <= WIDEST).max().unwrap_or(0) + 2;
    let mut all = String::new();
    for line in lines {
        let text = text(line);
        match line.tests.is_empty() {
            true => all.push_str(&text),
            false => {
                let pad = column.saturating_sub(text.chars().count()).max(2);
                let _ = write!(all, "{text}{:pad$}{}", "", line.tests);
            }
        }
        all.push('\n');
    }
    out.write(all.as_bytes());
}
