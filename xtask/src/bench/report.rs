//! `BENCHMARKS.md`: what was measured, beside its goal.

use std::fmt::Write as _;

/// One kind of work.
#[derive(Clone, Debug)]
pub struct Row {
    pub work: String,
    pub against: String,
    pub goal: String,
    pub ours: String,
    pub theirs: String,
    /// What came of the two.
    pub result: String,
    /// Whether that is the goal; `None` if there is none.
    pub reached: Option<bool>,
}

/// The machine, in words.
pub fn machine() -> String {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let value = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key));
        line.and_then(|line| line.split_once(':'))
            .map(|(_, value)| value.trim().to_owned())
    };
    let model = value(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown CPU".into());
    let memory = value(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
    let kib: u64 = memory
        .split_whitespace()
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or_default();
    let system = read("/proc/sys/kernel/osrelease");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{cores} cores ({model}), {} GiB, Linux {}, {}",
        kib.div_ceil(1 << 20),
        system.trim(),
        std::env::consts::ARCH
    )
}

/// The page.
pub fn page(machine: &str, peers: &[String], rows: &[Row]) -> String {
    let mut page = String::from(
        "# Benchmarks\n\n\
         Written by `cargo xtask bench`: release builds, everything warm unless it says cold, peers in the same run, in\n\
         turns; medians. Times of other machines differ; the ratios are what counts.\n\n",
    );
    let _ = writeln!(page, "Machine: {machine}.\n");
    for peer in peers {
        let _ = writeln!(page, "- {peer}");
    }
    page.push_str(
        "\n| work | ours | against | theirs | result | goal | |\n|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let reached = match row.reached {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "",
        };
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} | {reached} |",
            row.work, row.ours, row.against, row.theirs, row.result, row.goal
        );
    }
    page
}

/// Milliseconds, as one reads them.
pub fn ms(seconds: f64) -> String {
    match seconds * 1e3 {
        ms if ms < 100.0 => format!("{ms:.1} ms"),
        ms if ms < 10_000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1e3),
    }
}

/// Microseconds, as one reads them.
pub fn us(seconds: f64) -> String {
    format!("{:.1} us", seconds * 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_what_was_measured_and_whether_it_is_the_goal() {
        let row = |reached| Row {
            work: "1 test".into(),
            against: "a loop".into(),
            goal: "at most 2".into(),
            ours: ms(0.0123),
            theirs: us(0.000_001_25),
            result: "1.50".into(),
            reached,
        };
        let rows = [row(Some(true)), row(Some(false)), row(None)];
        let page = page("2 cores", &["a loop, of this repository".into()], &rows);
        assert!(page.contains("Machine: 2 cores.\n\n- a loop, of this repository\n"));
        let line = "| 1 test | 12.3 ms | a loop | 1.2 us | 1.50 | at most 2 |";
        for end in [" yes |", " **no** |", "  |"] {
            assert!(page.contains(&format!("{line}{end}\n")), "{page}");
        }
        assert_eq!((ms(0.25), ms(12.34)), ("250 ms".into(), "12.3 s".into()));
    }
}
