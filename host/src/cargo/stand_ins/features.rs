//! Features that stand between a crate and WASI though its tests' users can do without them: they add
//! threads or processes, and change nothing of what the crate does otherwise.

/// Features that a package can do without on WASI.
#[derive(Debug)]
pub(super) struct Needless {
    package: &'static str,
    /// Their names.
    pub(super) names: &'static [&'static str],
    /// Why they cannot be had there.
    pub(super) why: &'static str,
    /// Whether the package has public items with them that it has not without.
    pub(super) hides_items: bool,
}

const NEEDLESS: [Needless; 2] = [
    // benchmarks' statistics, computed in parallel; criterion refuses to build with it on WASI
    Needless {
        package: "criterion",
        names: &["rayon"],
        why: "which needs threads",
        hides_items: false,
    },
    // a process for each case and a limit for it; both ask for `wait-timeout`, which knows no WASI,
    // and both are off unless a test turns them on, with a field of its configuration
    Needless {
        package: "proptest",
        names: &["fork", "timeout"],
        why: "which need processes",
        hides_items: true,
    },
];

/// The features that a package can do without on WASI.
pub(super) fn needless(package: &str) -> Option<&'static Needless> {
    NEEDLESS.iter().find(|of| of.package == package)
}
