//! For faults: what holds a run up, and many tests among which something happens. The crate itself has none.
