//! An entry of the corpus: a file of `tests/hostile`, and what its first lines say of it.
//!
//! They are comments, each a key and what it is: `attack` first, then `expect` (one line for
//! each kind of end: the test where there are several, outcomes that may be, words that must
//! stand in what is said of it), `exit`, and where they are needed `flags`, `memory` and
//! `output` (bounds in MiB), `make` (what makes the module, with its number), `slow` (why it
//! is left to `cargo xtask hostile`) and `open` (what is missing for it to hold).

use anyhow::{Context as _, Result, bail, ensure};
use std::path::{Path, PathBuf};

/// An attack and what must come of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The file's name without its ending.
    pub name: String,
    pub path: PathBuf,
    /// What the guest tries.
    pub attack: String,
    pub expect: Vec<Expect>,
    /// The run's exit code.
    pub exit: i32,
    /// Flags that the run is started with.
    pub flags: Vec<String>,
    /// How much of memory no process of the run may pass, in MiB.
    pub memory: u64,
    /// How much the run may write to stdout, in MiB.
    pub output: u64,
    /// What makes the module, where the file does not hold it: a name, and how many.
    pub make: Option<(String, u64)>,
    /// Why it is not for every test run.
    pub slow: Option<String>,
    /// What is missing for it to hold.
    pub open: Option<String>,
}

/// How a test, module or suite of the attack's must end.
#[derive(Clone, Debug)]
pub struct Expect {
    /// The last part of its path; all, where none is named.
    pub test: Option<String>,
    /// One of these.
    pub outcomes: Vec<String>,
    /// All of these are said of it.
    pub words: Vec<String>,
}

/// What nobody needs more of, unless the entry says so: a worker with a debug build in it.
const MEMORY: u64 = 384;
const OUTPUT: u64 = 16;

impl Entry {
    /// Whether the attack is a module by itself; otherwise it is a test of the corpus's crate.
    pub fn is_module(&self) -> bool {
        self.path.extension().is_some_and(|e| e == "wat")
    }

    /// Whether it is for every test run.
    pub fn is_quick(&self) -> bool {
        self.slow.is_none() && self.open.is_none()
    }

    fn read(path: &Path) -> Result<Entry> {
        let text = std::fs::read_to_string(path)?;
        let name = path.file_stem().context("a file has a name")?;
        let mut entry = Entry {
            name: name.to_string_lossy().into_owned(),
            path: path.to_owned(),
            attack: String::new(),
            expect: Vec::new(),
            exit: -1,
            flags: Vec::new(),
            memory: MEMORY,
            output: OUTPUT,
            make: None,
            slow: None,
            open: None,
        };
        for line in text.lines() {
            let comment = line.strip_prefix(";; ").or(line.strip_prefix("//! "));
            let Some((key, value)) = comment.and_then(|c| c.split_once(": ")) else {
                break;
            };
            ensure!(
                (key == "attack") == entry.attack.is_empty(),
                "the attack stands in the first line"
            );
            match key {
                "attack" => entry.attack = value.to_owned(),
                "expect" => entry.expect.push(Expect::read(value)?),
                "exit" => entry.exit = value.parse()?,
                "flags" => entry.flags = value.split(' ').map(str::to_owned).collect(),
                "memory" => entry.memory = value.parse()?,
                "output" => entry.output = value.parse()?,
                "make" => {
                    let (what, number) = value.split_once(' ').context("make: NAME NUMBER")?;
                    entry.make = Some((what.to_owned(), number.parse()?));
                }
                "slow" => entry.slow = Some(value.to_owned()),
                "open" => entry.open = Some(value.to_owned()),
                other => bail!("`{other}` means nothing here"),
            }
        }
        ensure!(
            !entry.attack.is_empty() && !entry.expect.is_empty() && entry.exit >= 0,
            "its first lines are `attack`, `expect` and `exit`"
        );
        Ok(entry)
    }
}

impl Expect {
    /// `[TEST] OUTCOME[|OUTCOME] "words" "words"`
    fn read(text: &str) -> Result<Expect> {
        let (head, quoted) = text.split_once('"').unwrap_or((text, ""));
        let mut head: Vec<&str> = head.split_whitespace().collect();
        let outcomes = head.pop().context("an outcome")?;
        ensure!(head.len() <= 1, "[TEST] OUTCOME \"words\"");
        let words = quoted.strip_suffix('"').unwrap_or(quoted);
        Ok(Expect {
            test: head.pop().map(str::to_owned),
            outcomes: outcomes.split('|').map(str::to_owned).collect(),
            words: words
                .split("\" \"")
                .filter(|w| !w.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    }
}

/// All entries of the corpus, by name.
///
/// # Errors
/// For a file whose first lines are not those of an entry.
pub fn entries(root: &Path) -> Result<Vec<Entry>> {
    let folder = root.join("tests/hostile");
    let mut entries = Vec::new();
    for file in std::fs::read_dir(&folder)? {
        let path = file?.path();
        let is_entry = path.extension().is_some_and(|e| e == "wat" || e == "rs");
        if !is_entry || path.file_name().is_some_and(|n| n == "lib.rs") {
            continue;
        }
        entries.push(Entry::read(&path).with_context(|| path.display().to_string())?);
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}
