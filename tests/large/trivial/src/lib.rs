//! Trivial tests for libtest, many of them.
