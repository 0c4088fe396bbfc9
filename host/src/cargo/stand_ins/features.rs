//! Features that stand between a crate and WASI though its tests' users can do without them: they add
//! threads or processes, and change nothing of what the crate does otherwise.

/// `(package, features, why)`.
const NEEDLESS: [(&str, &[&str], &str); 2] = [
    // benchmarks' statistics, computed in parallel; criterion refuses to build with it on WASI
    ("criterion", &["rayon"], "which needs threads"),
    // a process for each case and a limit for it; both ask for `wait-timeout`, which knows no WASI,
    // and both are off unless a test turns them on
    ("proptest", &["fork", "timeout"], "which need processes"),
];

/// The features that a package can do without on WASI, and why they cannot be had there.
pub(super) fn needless(package: &str) -> Option<(&'static [&'static str], &'static str)> {
    let mut all = NEEDLESS.iter();
    all.find(|(of, ..)| *of == package)
        .map(|(_, features, why)| (*features, *why))
}
