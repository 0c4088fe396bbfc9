//! The flags that say how much a guest may take.

use clap::Args;

/// How much a guest may take, whatever starts it.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// How much memory a guest may have, tables and heap of garbage-collected values included, or `none` [default: 2GiB for tests, none for exec]
    ///
    /// It is the sum for one instance with all that belongs to it: a test, or the tests of a
    /// unit together. A test can lower it for itself (the SDK's `max_memory`).
    #[arg(long, value_name = "SIZE")]
    pub max_memory: Option<String>,

    /// How many elements a guest's tables may have together, or `none` [default: 10000000 for tests, none for exec]
    #[arg(long, value_name = "N")]
    pub max_table_elements: Option<String>,

    /// Of how many core instances a guest may be made, as components are, or `none` [default: 10000 for tests, none for exec]
    #[arg(long, value_name = "N")]
    pub max_instances: Option<String>,

    /// How many files and folders a guest may have open, or `none` [default: 1000 for tests, none for exec]
    #[arg(long, value_name = "N")]
    pub max_open_files: Option<String>,
}

/// How much a test may write, and what is kept of it.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Limits")]
pub struct OutputArgs {
    /// How much a test may write to stdout, and again to stderr, before it is stopped, or `none` [default: 8GiB]
    #[arg(long, value_name = "SIZE")]
    pub max_output: Option<String>,

    /// How much is kept of each stream's beginning, and again of its end [default: 256KiB]
    #[arg(long, value_name = "SIZE")]
    pub keep_output: Option<String>,
}
