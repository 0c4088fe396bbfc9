//! Plain programs: see `src/bin`.
