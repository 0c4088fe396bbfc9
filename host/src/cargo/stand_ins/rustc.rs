//! Stands before rustc, as cargo's `RUSTC_WRAPPER`: what does not build and is not the user's
//! gets a stand-in.
//!
//! A stand-in is a file that rustc refuses to open. It opens a dependency only when it is
//! named: so whatever names the crate is an error, by a glob and by `as _` too, and whatever
//! does not is compiled as it would be with the real one. (An empty crate would not do: `use x::*`
//! compiles against it, and the test that has it may mean something else then.) What a crate adds
//! that nothing names it adds when a program is linked, and crates that are not named are not linked.

use super::super::diagnostic::error_line;
use super::call::Call;
use super::notes::{self, LeftOut, Note, Notes};
use super::{EMPTY, NOTES, PROJECT, Wrapped, features};
use crate::settings::ProcessEnv;
use anyhow::Context as _;
use cargo_metadata::diagnostic::{Diagnostic, DiagnosticLevel};
use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};

/// What a stand-in holds: no library, and a word for whoever looks into one.
const STAND_IN: &[u8] =
    b"a stand-in of wasmtest's, for a crate that does not build: rustc refuses to read it\n";
/// rustc has found errors.
const REJECTED: i32 = 1;
/// What a build script that failed for WASI leaves in its folder: the first of what it said.
const FAILED: &str = ".wasmtest-failed";

/// What runs a build script. Where that fails for WASI it keeps the first line that tells why, and
/// of what the script printed only when it wants to be run again.
const SCRIPT: &str = include_str!("script.rs.txt");

/// Does what cargo asked of rustc; gives the exit code.
pub(super) fn run(folder: &Path, args: &[OsString], process: &ProcessEnv) -> i32 {
    let Some((program, args)) = args.split_first() else {
        say("the compiler is missing in this call");
        return 2;
    };
    let call = Call::new(args.to_vec());
    let read = std::fs::read(folder.join(PROJECT)).map_err(anyhow::Error::from);
    let wrapped = read.and_then(|bytes| Ok(serde_json::from_slice::<Wrapped>(&bytes)?));
    let wrapped = wrapped.unwrap_or_else(|e| {
        say(&format!(
            "nothing can stand in for what does not build: {e:#}"
        ));
        Wrapped::nothing()
    });
    let compiler = Compiler {
        program: program.clone(),
        wrapper: wrapped.wrapper.as_ref().map(OsString::from),
    };
    let Some(unit) = Unit::of(&call, &wrapped, process) else {
        return compiler.replace_us(&call);
    };
    let done = match unit.kind {
        Kind::Library => unit.library(folder, &compiler),
        Kind::Script => unit.script(&compiler),
    };
    done.unwrap_or_else(|e| {
        say(&format!("{e:#}"));
        REJECTED
    })
}

/// cargo shows what rustc writes to stderr, where it is no message.
fn say(what: &str) {
    eprintln!("error: wasmtest, in front of rustc: {what}");
}

/// The compiler, behind the user's own wrapper if there is one.
struct Compiler {
    program: OsString,
    wrapper: Option<OsString>,
}

impl Compiler {
    fn command(&self, call: &Call) -> Command {
        let mut command = match &self.wrapper {
            Some(wrapper) => {
                let mut command = Command::new(wrapper);
                command.arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command.args(call.args());
        command
    }

    /// Becomes the compiler; comes back if it cannot be started.
    fn replace_us(&self, call: &Call) -> i32 {
        let mut command = self.command(call);
        let error = command.exec();
        say(&format!(
            "{} cannot be started: {error}",
            command.get_program().display()
        ));
        REJECTED
    }

    /// The compiler alone, for sources of our own.
    fn without_wrapper(&self) -> Compiler {
        Compiler {
            program: self.program.clone(),
            wrapper: None,
        }
    }

    fn output(&self, call: &Call) -> anyhow::Result<Output> {
        let mut command = self.command(call);
        command.stderr(Stdio::piped()).stdout(Stdio::inherit());
        let child = command.spawn();
        let child = child
            .with_context(|| format!("{} cannot be started", command.get_program().display()))?;
        child
            .wait_with_output()
            .context("rustc cannot be waited for")
    }
}

enum Kind {
    /// A library for WASI, which may need a stand-in.
    Library,
    /// A build script, which may fail when it runs for WASI.
    Script,
}

/// What is compiled, if it is for this file to look at.
struct Unit<'a> {
    call: &'a Call,
    kind: Kind,
    package: String,
    version: String,
    source: PathBuf,
    /// Its files, without their endings.
    product: PathBuf,
    /// Where its build script wrote.
    out_dir: Option<&'a Path>,
}

impl<'a> Unit<'a> {
    fn of(call: &'a Call, wrapped: &Wrapped, process: &'a ProcessEnv) -> Option<Unit<'a>> {
        let var = |name: &str| process.var(name).map(str::to_owned);
        let folder = process.path("CARGO_MANIFEST_DIR")?;
        let is_member = wrapped.members.contains(&folder);
        // set for whatever cargo compiles, and for nothing that a build script does
        let is_named = var("CARGO_CRATE_NAME").as_deref() == call.crate_name();
        if is_member || !is_named || !call.is_cargos() || call.is_of_std() {
            return None;
        }
        let package = var("CARGO_PKG_NAME")?;
        let version = var("CARGO_PKG_VERSION")?;
        let for_wasi = call.target() == Some(wrapped.target.as_str());
        let kind = match () {
            () if for_wasi && call.is_library() => Kind::Library,
            () if call.is_build_script() => Kind::Script,
            () => return None,
        };
        Some(Unit {
            call,
            package,
            version,
            source: call.source()?.to_owned(),
            product: call.product(match kind {
                Kind::Library => "lib",
                Kind::Script => "",
            })?,
            out_dir: process.var_os("OUT_DIR").map(Path::new),
            kind,
        })
    }

    fn library(&self, folder: &Path, compiler: &Compiler) -> anyhow::Result<i32> {
        let notes = folder.join(NOTES);
        let failed = self.out_dir.map(|out| out.join(FAILED));
        if let Some(said) = failed.and_then(|file| std::fs::read_to_string(file).ok()) {
            // whatever it would have found out, the crate may be another without
            let said = said.trim();
            let error = format!("its build script failed: {said}");
            return self.stand_in(folder, compiler, LeftOut::All { error, needs: None });
        }
        let output = compiler.output(self.call)?;
        if output.status.success() {
            notes::forget(&notes, &self.product);
            return pass_on(&output);
        }
        // killed, without memory, or a fault of rustc's own: that says nothing of the crate
        if output.status.code() != Some(REJECTED) {
            return pass_on(&output);
        }
        if let Some(needless) = features::needless(&self.package) {
            let on = self.call.on(needless.names);
            if !on.is_empty() {
                let without = compiler.output(&self.call.without_features(&on))?;
                if without.status.success() {
                    let names = on.iter().map(ToString::to_string).collect();
                    let left_out = LeftOut::Features {
                        names,
                        why: needless.why.to_owned(),
                        hides_items: needless.hides_items,
                    };
                    self.keep(&notes, left_out)?;
                    return pass_on(&without);
                }
            }
        }
        let Some(error) = first_error(&output.stderr) else {
            return pass_on(&output);
        };
        let stderr = String::from_utf8_lossy(&output.stderr);
        let before = Notes::read(&notes).of(|product| *product != self.product);
        let needs = before.named_in(&stderr).map(|note| note.product.clone());
        self.stand_in(folder, compiler, LeftOut::All { error, needs })
    }

    /// Has cargo's files made, and makes of them what nobody can use.
    fn stand_in(&self, folder: &Path, compiler: &Compiler, why: LeftOut) -> anyhow::Result<i32> {
        // what was read of the real one: cargo compiles it again when that has changed
        let sources = self.call.product("").unwrap_or_default();
        let sources = with_ending(&sources, "d");
        let read_before = std::fs::read(&sources).ok();
        let call = self.call.of_source(&folder.join(EMPTY));
        let output = compiler.without_wrapper().output(&call)?;
        if !output.status.success() {
            return pass_on(&output);
        }
        let mut told = Vec::new();
        for line in output.stderr.split_inclusive(|b| *b == b'\n') {
            let Some(file) = artifact(line) else { continue };
            if file
                .extension()
                .is_some_and(|e| e == "rlib" || e == "rmeta")
            {
                std::fs::write(&file, STAND_IN)
                    .with_context(|| format!("{} cannot be written", file.display()))?;
            }
            told.extend_from_slice(line);
        }
        let empty = folder.join(EMPTY);
        let sources_now = match read_before {
            Some(text) => text,
            // as rustc writes it, for one file
            None => {
                let text = std::fs::read_to_string(&sources).unwrap_or_default();
                let (old, new) = (escaped(&empty), escaped(&self.source));
                text.replace(&old, &new).into_bytes()
            }
        };
        std::fs::write(&sources, sources_now)
            .with_context(|| format!("{} cannot be written", sources.display()))?;
        self.keep(&folder.join(NOTES), why)?;
        // cargo may have ended already
        let _ = std::io::stderr().write_all(&told);
        Ok(0)
    }

    /// Has a script run by another, which takes a failure for WASI for no end of the build: it says
    /// so in the script's folder, which the library's compiler is told of.
    fn script(&self, compiler: &Compiler) -> anyhow::Result<i32> {
        let (made, real) = (&self.product, with_ending(&self.product, "real"));
        let source = with_ending(&self.product, "rs");
        let output = compiler.output(self.call)?;
        if !output.status.success() {
            return pass_on(&output);
        }
        let place = |what: &Path| format!("{} cannot be written", what.display());
        // its sources are those of the real one: cargo compiles it again when they have changed
        let sources = with_ending(&self.product, "d");
        let of_real = std::fs::read(&sources).ok();
        std::fs::rename(made, &real).with_context(|| place(&real))?;
        let text = SCRIPT
            .replace("{real}", &format!("{real:?}"))
            .replace("{failed}", &format!("{FAILED:?}"));
        std::fs::write(&source, text).with_context(|| place(&source))?;
        let call = self.call.of_source(&source);
        let output = compiler.without_wrapper().output(&call)?;
        if let Some(of_real) = of_real {
            std::fs::write(&sources, of_real).with_context(|| place(&sources))?;
        }
        pass_on(&output)
    }

    fn keep(&self, notes: &Path, left_out: LeftOut) -> anyhow::Result<()> {
        let note = Note {
            package: self.package.clone(),
            version: self.version.clone(),
            product: self.product.clone(),
            left_out,
        };
        note.keep(notes)
            .with_context(|| format!("{} cannot be written to", notes.display()))
    }
}

/// A path with an ending behind all that its name has.
fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut all = path.as_os_str().to_owned();
    all.push(".");
    all.push(ending);
    all.into()
}

/// As a path stands in a list of sources: a space is escaped there.
fn escaped(path: &Path) -> String {
    path.display().to_string().replace(' ', "\\ ")
}

/// Says what the compiler said; gives its exit code.
fn pass_on(output: &Output) -> anyhow::Result<i32> {
    // cargo may have ended already
    let _ = std::io::stderr().write_all(&output.stderr);
    Ok(code_of(output.status))
}

/// As a shell tells it.
fn code_of(status: ExitStatus) -> i32 {
    let killed = || status.signal().map(|signal| 128 + signal);
    status.code().or_else(killed).unwrap_or(REJECTED)
}

/// The file that a message of rustc's says is there.
fn artifact(line: &[u8]) -> Option<PathBuf> {
    #[derive(serde::Deserialize)]
    struct Artifact {
        artifact: PathBuf,
    }
    let message: Artifact = serde_json::from_slice(line).ok()?;
    Some(message.artifact)
}

/// The first error that rustc told, as one line.
fn first_error(stderr: &[u8]) -> Option<String> {
    let messages = stderr
        .split(|b| *b == b'\n')
        .filter_map(|line| serde_json::from_slice::<Diagnostic>(line).ok());
    let is_error =
        |d: &Diagnostic| [DiagnosticLevel::Error, DiagnosticLevel::Ice].contains(&d.level);
    messages.into_iter().find(is_error).map(|d| error_line(&d))
}
