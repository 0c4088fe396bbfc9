//! Nothing: what matters are the names of its test targets, which are the toolchain's crates' too.
