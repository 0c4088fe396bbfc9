//! The Rusts that people have: the declared minimum, the newest stable, and a nightly.
//!
//! What depends on the words and shapes of std, libtest, rustdoc and cargo is run on each of
//! them that is here. Nothing is installed by looking.

use anyhow::{Context as _, Result};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A Rust that is meant: what rustc says of itself after its name begins with this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meant {
    /// What it stands for.
    pub role: &'static str,
    /// What `rustup toolchain install` calls it.
    pub name: &'static str,
    /// What `rustc --version` says of it, after `rustc `.
    version: &'static str,
}

/// All of them, the oldest first. `rust-version` in Cargo.toml is the first.
pub const MEANT: [Meant; 3] = [
    Meant {
        role: "the declared minimum",
        name: "1.95.0",
        version: "1.95.",
    },
    Meant {
        role: "the newest stable",
        name: "1.99.1",
        version: "1.99.1 ",
    },
    Meant {
        role: "a nightly",
        name: "nightly-2026-10-29",
        // a nightly is of the day after the commit that it is made of
        version: "1.101.0-nightly (92ffebece 2026-10-28)",
    },
];

impl Meant {
    /// How one gets it, with the standard libraries that tests need.
    pub fn how_to_install(&self) -> String {
        format!("rustup {}", self.install_args().join(" "))
    }

    fn install_args(&self) -> Vec<&'static str> {
        let mut args = vec!["toolchain", "install", self.name, "--profile", "minimal"];
        args.extend(["-t", crate::target::WASIP1, "-t", crate::target::WASIP2]);
        args
    }
}

/// One that is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    /// Which of those that are meant it is.
    pub meant: Meant,
    /// Its own name where rustup has it; without, it is the one that cargo is of anyway.
    rustup: Option<Rustup>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rustup {
    name: String,
    cargo: PathBuf,
}

impl Toolchain {
    /// Has a command, and whatever cargo, rustc and rustdoc it starts, be of this toolchain.
    pub fn choose<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        if let Some(rustup) = &self.rustup {
            command
                .env("RUSTUP_TOOLCHAIN", &rustup.name)
                .env("CARGO", &rustup.cargo);
        }
        command
    }

    /// Its cargo.
    pub fn cargo(&self) -> Command {
        let own = match &self.rustup {
            Some(rustup) => rustup.cargo.clone().into_os_string(),
            None => std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
        };
        let mut command = Command::new(own);
        self.choose(&mut command);
        command
    }
}

/// Each that is meant: the toolchain, or why it cannot be used here. Asked once.
pub fn all() -> &'static [(Meant, Result<Toolchain, String>)] {
    static ALL: OnceLock<Vec<(Meant, Result<Toolchain, String>)>> = OnceLock::new();
    ALL.get_or_init(|| {
        let installed = installed();
        MEANT
            .into_iter()
            .map(|meant| (meant, find(meant, &installed)))
            .collect()
    })
}

/// Each that can be used and is newer than the declared minimum, which all tests are built
/// with. Those that cannot are said on stderr, past what a test harness keeps to itself.
pub fn newer() -> Vec<&'static Toolchain> {
    let mut found = Vec::new();
    for (meant, there) in all().iter().skip(1) {
        match there {
            Ok(toolchain) => found.push(toolchain),
            Err(why) => say(meant, why),
        }
    }
    found
}

/// Has rustup install the newest stable where it is not here. Where that cannot be done, it is
/// said, and what would run on it does not.
pub fn install_newest() {
    // asked anew afterwards, by whoever runs something on it
    let [_, newest, _] = MEANT;
    let Err(why) = find(newest, &installed()) else {
        return;
    };
    eprintln!(
        "xtask: installing Rust {}: {}",
        newest.name,
        newest.how_to_install()
    );
    let status = Command::new("rustup")
        .args(newest.install_args())
        .arg("--no-self-update")
        .stdin(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => say(
            &newest,
            &format!("{why}, and rustup cannot install it ({status})"),
        ),
        Err(e) => say(
            &newest,
            &format!("{why}, and rustup cannot be started ({e})"),
        ),
    }
}

/// Says that one is missing.
pub fn say(meant: &Meant, why: &str) {
    use std::io::Write as _;
    let line = format!(
        "NOT RUN on Rust {} ({}): {why}; {}\n",
        meant.name,
        meant.role,
        meant.how_to_install()
    );
    // nobody is left to be told of a closed stream
    let _ = std::io::stderr().write_all(line.as_bytes());
}

fn find(meant: Meant, installed: &[(Option<Rustup>, String)]) -> Result<Toolchain, String> {
    let is_meant = |(_, version): &&(Option<Rustup>, String)| version.starts_with(meant.version);
    let (rustup, _) = installed
        .iter()
        .find(is_meant)
        .ok_or("it is not installed")?;
    let toolchain = Toolchain {
        meant,
        rustup: rustup.clone(),
    };
    for target in [crate::target::WASIP1, crate::target::WASIP2] {
        let mut rustc = Command::new("rustc");
        toolchain.choose(&mut rustc);
        if !crate::target::has_std(rustc, target).unwrap_or(false) {
            return Err(format!("it has no standard library for {target}"));
        }
    }
    Ok(toolchain)
}

/// What is here, with what its rustc says of itself: the toolchain in use first.
fn installed() -> Vec<(Option<Rustup>, String)> {
    let own = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut all: Vec<(Option<Rustup>, String)> = version(&mut Command::new(own))
        .into_iter()
        .map(|v| (None, v))
        .collect();
    let names = said(Command::new("rustup").args(["toolchain", "list", "--quiet"]));
    for name in names.unwrap_or_default().lines() {
        let which = said(Command::new("rustup").args(["which", "--toolchain", name, "cargo"]));
        let Ok(cargo) = which else { continue };
        let rustup = Rustup {
            name: name.to_owned(),
            cargo: PathBuf::from(cargo.trim()),
        };
        let mut rustc = Command::new("rustc");
        let found = version(rustc.env("RUSTUP_TOOLCHAIN", name));
        all.extend(found.into_iter().map(|v| (Some(rustup.clone()), v)));
    }
    all
}

fn version(rustc: &mut Command) -> Option<String> {
    let said = said(rustc.arg("--version")).ok()?;
    Some(said.trim().strip_prefix("rustc ")?.to_owned())
}

/// What a command prints, if it succeeds.
fn said(command: &mut Command) -> Result<String> {
    let name: OsString = command.get_program().to_owned();
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .with_context(|| format!("{} cannot be started", name.display()))?;
    anyhow::ensure!(output.status.success(), "{} failed", name.display());
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_is_known_by_what_its_compiler_says() {
        let at = |version: &str| (None, version.to_owned());
        let is = |meant: usize, version: &str| {
            let all = [at(version)];
            all.iter().any(|(_, v)| v.starts_with(MEANT[meant].version))
        };
        assert!(is(0, "1.95.0 (59807616e 2026-04-14)"));
        assert!(is(1, "1.99.1 (abc 2026-10-01)"));
        assert!(!is(1, "1.99.10 (abc 2026-10-01)"));
        assert!(find(MEANT[1], &[at("1.98.0 (abc 2026-10-01)")]).is_err());
    }

    #[test]
    fn the_first_is_the_declared_minimum() {
        let manifest = include_str!("../../Cargo.toml");
        let declared = manifest
            .lines()
            .find_map(|l| l.strip_prefix("rust-version = \""))
            .and_then(|l| l.strip_suffix('"'))
            .expect("it is declared");
        assert!(MEANT[0].name.starts_with(declared), "{declared}");
    }
}
