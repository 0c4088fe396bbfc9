//! A call of rustc's, as cargo makes it: what it compiles, and the same call with something changed.
//! Pure.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The arguments of a call, the compiler itself not among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call(Vec<OsString>);

/// Flags whose value, in a call of cargo's, is an argument of its own.
const VALUED: [&str; 14] = [
    "--crate-name",
    "--crate-type",
    "--cfg",
    "--check-cfg",
    "--out-dir",
    "--target",
    "--extern",
    "--cap-lints",
    "--remap-path-prefix",
    "--emit",
    "-C",
    "-L",
    "-l",
    "-Z",
];

impl Call {
    pub(super) fn new(args: Vec<OsString>) -> Call {
        Call(args)
    }

    pub(super) fn args(&self) -> &[OsString] {
        &self.0
    }

    /// The arguments, each valued flag together with its value.
    fn parts(&self) -> impl Iterator<Item = &[OsString]> {
        let mut rest = self.0.as_slice();
        std::iter::from_fn(move || {
            let first = rest.first()?;
            let wants = VALUED.iter().any(|flag| first == *flag) && rest.len() > 1;
            let (part, more) = rest.split_at(if wants { 2 } else { 1 });
            rest = more;
            Some(part)
        })
    }

    /// All values of a flag, whichever of the two ways they are written.
    fn values<'a>(&'a self, flag: &'static str) -> impl Iterator<Item = &'a str> {
        self.parts().filter_map(move |part| value_of(part, flag))
    }

    fn value(&self, flag: &'static str) -> Option<&str> {
        self.values(flag).last()
    }

    fn codegen(&self, key: &str) -> Option<&str> {
        let all = self.values("-C").filter_map(|v| v.split_once('='));
        all.filter(|(k, _)| *k == key).map(|(_, v)| v).last()
    }

    /// The crate's name.
    pub(super) fn crate_name(&self) -> Option<&str> {
        self.value("--crate-name")
    }

    /// The target, if it is not the host by default.
    pub(super) fn target(&self) -> Option<&str> {
        self.value("--target")
    }

    /// Where the products go, and how their names begin: all of a path but its ending. What
    /// `prefix` stands for: a library's files begin with `lib`, others do not.
    pub(super) fn product(&self, prefix: &str) -> Option<PathBuf> {
        let extra = self.codegen("extra-filename").unwrap_or_default();
        let name = format!("{prefix}{}{extra}", self.crate_name()?);
        Some(Path::new(self.value("--out-dir")?).join(name))
    }

    /// Whether cargo wants a library of it that others are compiled against.
    pub(super) fn is_library(&self) -> bool {
        let mut kinds = self.values("--crate-type").flat_map(|v| v.split(','));
        kinds.any(|kind| ["lib", "rlib"].contains(&kind)) && !self.0.iter().any(|a| a == "--test")
    }

    /// Whether it is a build script, which is a program for this machine.
    pub(super) fn is_build_script(&self) -> bool {
        let name = self.crate_name().unwrap_or_default();
        name.starts_with("build_script_") && self.target().is_none()
    }

    /// Whether this looks as cargo's own calls do: a build script that tries something out
    /// compiles for the same target, and may have to see it fail.
    pub(super) fn is_cargos(&self) -> bool {
        let mut json = self.values("--json").flat_map(|v| v.split(','));
        json.any(|what| what == "artifacts")
            && self.value("--error-format") == Some("json")
            && self.codegen("metadata").is_some()
            && self.product("").is_some()
    }

    /// Whether a part of the standard library is compiled.
    pub(super) fn is_of_std(&self) -> bool {
        let mut flags = self.values("-Z");
        flags.any(|flag| flag == "force-unstable-if-unmarked")
    }

    /// The file that is compiled.
    pub(super) fn source(&self) -> Option<&Path> {
        let mut alone = self.parts().filter(|part| part.len() == 1);
        alone
            .find(|part| is_source(part))
            .map(|part| Path::new(&part[0]))
    }

    /// The features that are on, of these.
    pub(super) fn on<'a>(&self, features: &'a [&'a str]) -> Vec<&'a str> {
        let on = |feature: &&&str| {
            let wanted = feature_flag(feature);
            self.values("--cfg").any(|v| v == wanted)
        };
        features.iter().filter(on).copied().collect()
    }

    /// The same with these features off.
    pub(super) fn without_features(&self, features: &[&str]) -> Call {
        self.without(|part| {
            let cfg = value_of(part, "--cfg");
            cfg.is_some_and(|v| features.iter().any(|f| feature_flag(f) == v))
        })
    }

    /// The same of another source, of which nothing is expected: no lint, no native library, no
    /// state of an earlier compilation.
    pub(super) fn of_source(&self, source: &Path) -> Call {
        let mut call = self.without(|part| {
            let incremental = |v: &str| {
                ["incremental=", "link-arg"]
                    .iter()
                    .any(|p| v.starts_with(p))
            };
            value_of(part, "-C").is_some_and(incremental)
                || value_of(part, "-l").is_some()
                || value_of(part, "--cap-lints").is_some()
        });
        call.0.extend(["--cap-lints", "allow"].map(OsString::from));
        let old = self.source().map(Path::as_os_str);
        for arg in &mut call.0 {
            if Some(arg.as_os_str()) == old {
                source.as_os_str().clone_into(arg);
            }
        }
        call
    }

    fn without(&self, is_left_out: impl Fn(&[OsString]) -> bool) -> Call {
        let kept = self.parts().filter(|part| !is_left_out(part));
        Call(kept.flatten().cloned().collect())
    }
}

fn feature_flag(feature: &str) -> String {
    format!("feature=\"{feature}\"")
}

fn is_source(part: &[OsString]) -> bool {
    let is_flag = part[0].to_string_lossy().starts_with('-');
    !is_flag && Path::new(&part[0]).extension() == Some(OsStr::new("rs"))
}

/// The value that a flag has in this part: `--flag value`, `--flag=value`, `-Cvalue`.
fn value_of<'a>(part: &'a [OsString], flag: &str) -> Option<&'a str> {
    let first = part[0].to_str()?;
    if first == flag {
        return part.get(1)?.to_str();
    }
    let rest = first.strip_prefix(flag)?;
    match flag.starts_with("--") {
        true => rest.strip_prefix('='),
        false => Some(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(text: &str) -> Call {
        Call::new(text.split_whitespace().map(OsString::from).collect())
    }

    const CARGOS: &str = "--crate-name wait_timeout --edition=2021 /r/wait-timeout/src/lib.rs \
        --error-format=json --json=diagnostic-rendered-ansi,artifacts,future-incompat \
        --crate-type lib --emit=dep-info,metadata,link -C embed-bitcode=no \
        --cfg feature=\"fork\" --cfg feature=\"std\" -C metadata=12 -C extra-filename=-34 \
        --out-dir /t/deps --target wasm32-wasip1 -L dependency=/t/deps -l static=z \
        -Cincremental=/t/i --extern libc=/t/deps/liblibc.rmeta --cap-lints warn";

    #[test]
    fn a_call_of_cargos_says_what_is_compiled() {
        let call = call(CARGOS);
        assert_eq!(call.crate_name(), Some("wait_timeout"));
        assert_eq!(call.target(), Some("wasm32-wasip1"));
        assert_eq!(
            call.product("lib"),
            Some(PathBuf::from("/t/deps/libwait_timeout-34"))
        );
        assert_eq!(call.source(), Some(Path::new("/r/wait-timeout/src/lib.rs")));
        assert!(call.is_cargos() && call.is_library() && !call.is_of_std());
        assert_eq!(call.on(&["timeout", "fork"]), ["fork"]);
        let other = |from: &str, to: &str| self::call(&CARGOS.replace(from, to));
        assert!(!other("--crate-type lib", "--crate-type proc-macro").is_library());
        assert!(!other("--crate-type lib", "--test").is_library());
        assert!(other("--cap-lints", "-Zforce-unstable-if-unmarked --cap-lints").is_of_std());
        // as a build script tries something out
        assert!(!other("--json=diagnostic-rendered-ansi,artifacts,", "--json=").is_cargos());
        let probe = "--crate-name probe --crate-type lib --target wasm32-wasip1 --out-dir /o x.rs";
        assert!(!self::call(probe).is_cargos());
    }

    #[test]
    fn a_call_is_changed_in_nothing_else() {
        let call = call(CARGOS);
        let without = call.without_features(&["fork", "timeout"]);
        assert!(without.on(&["fork"]).is_empty());
        assert_eq!(without.args().len(), call.args().len() - 2);
        let empty = call.of_source(Path::new("/o/empty.rs"));
        let text = |c: &Call| c.args().join(OsStr::new(" ")).into_string().expect("text");
        let expected = text(&call)
            .replace("/r/wait-timeout/src/lib.rs", "/o/empty.rs")
            .replace(" -l static=z -Cincremental=/t/i", "")
            .replace("--cap-lints warn", "--cap-lints allow");
        assert_eq!(text(&empty), expected);
    }
}
