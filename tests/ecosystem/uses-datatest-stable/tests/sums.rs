//! A test a file of tests/data.

use std::path::Path;
use uses_datatest_stable::check;

fn by_path(path: &Path) -> datatest_stable::Result<()> {
    check(&std::fs::read_to_string(path)?).map_err(Into::into)
}

fn by_content(path: &Path, content: String) -> datatest_stable::Result<()> {
    check(&content).map_err(|e| format!("{}: {e}", path.display()).into())
}

datatest_stable::harness! {
    { test = by_path, root = "tests/data", pattern = r"^good/.*\.txt$" },
    { test = by_content, root = "tests/data", pattern = r"\.txt$" },
}
