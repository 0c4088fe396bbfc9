//! Which sources are the runtime's own.

/// Whether this is a source of Rust's own crates, of theirs, or of the C library.
pub fn is_runtime_source(file: &str) -> bool {
    file.starts_with("/rustc/")
        || file.starts_with("/rust/deps/")
        // how distributions name them
        || (file.starts_with("/usr/src/rustc-") && file.contains("/library/"))
        || file.contains("/lib/rustlib/src/rust/library/")
        // the C library that Rust's targets are built with
        || file.starts_with("wasisdk://")
}
