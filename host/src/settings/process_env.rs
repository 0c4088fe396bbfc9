//! What this process was started with: its variables, its arguments, and where it is.
//!
//! [`ProcessEnv`] is read once, where a process begins, and handed down. Nothing else asks the
//! system for any of it, so that what a function does follows from what it is given, and a test
//! can give it something made up. Decides nothing: what a variable means is for whoever asks
//! for it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// What a process was started with.
///
/// Has no `Debug`: there are secrets among the variables.
#[derive(Clone)]
pub struct ProcessEnv {
    /// In the system's order; of two of one name the first counts.
    variables: Vec<(OsString, OsString)>,
    arguments: Vec<OsString>,
    current_dir: Result<PathBuf, Untold>,
    exe: Result<PathBuf, Untold>,
    temp_dir: PathBuf,
    home_dir: Option<PathBuf>,
}

/// Why the system does not tell where this process is: its folder was removed, for one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Untold(String);

/// The folders, and the file, that a run has to know of this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostPaths {
    /// The current folder, if it can be told.
    pub current_dir: Option<PathBuf>,
    /// The system's place for what is temporary.
    pub temp_dir: PathBuf,
    /// Where all that the user has lies, as it is set.
    pub home_dir: Option<PathBuf>,
    /// This program, by whose name it is found on the `PATH` if its file cannot be told.
    pub exe: PathBuf,
}

impl ProcessEnv {
    /// Asks the system, once.
    pub fn read() -> ProcessEnv {
        ProcessEnv {
            variables: std::env::vars_os().collect(),
            arguments: std::env::args_os().collect(),
            current_dir: std::env::current_dir().map_err(|e| Untold(e.to_string())),
            exe: std::env::current_exe().map_err(|e| Untold(e.to_string())),
            temp_dir: std::env::temp_dir(),
            home_dir: std::env::home_dir(),
        }
    }

    /// One with these variables alone, in this folder: for tests.
    #[cfg(test)]
    pub fn made_up(variables: &[(&str, &str)], current_dir: &Path) -> ProcessEnv {
        let variables = variables.iter();
        ProcessEnv {
            variables: variables.map(|(n, v)| (n.into(), v.into())).collect(),
            arguments: Vec::new(),
            current_dir: Ok(current_dir.to_owned()),
            exe: Err(Untold("it is made up".to_owned())),
            temp_dir: "/tmp".into(),
            home_dir: None,
        }
    }

    /// A variable's value, whatever it holds.
    pub fn var_os(&self, name: &str) -> Option<&OsStr> {
        let mut all = self.variables.iter();
        all.find(|(n, _)| n == name).map(|(_, v)| v.as_os_str())
    }

    /// A variable's value, if it is Unicode.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.var_os(name)?.to_str()
    }

    /// A variable's value as a path.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.var_os(name).map(PathBuf::from)
    }

    /// All variables of which name and value are Unicode.
    pub fn unicode_vars(&self) -> impl Iterator<Item = (String, String)> {
        let all = self.variables.iter();
        all.filter_map(|(n, v)| Some((n.to_str()?.to_owned(), v.to_str()?.to_owned())))
    }

    /// Whether `NO_COLOR` says nothing against colours.
    pub fn allows_color(&self) -> bool {
        self.var_os("NO_COLOR").is_none_or(OsStr::is_empty)
    }

    /// The arguments, the program's own name included.
    pub fn args(&self) -> &[OsString] {
        &self.arguments
    }

    /// The current folder.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn current_dir(&self) -> Result<&Path, Untold> {
        self.current_dir.as_deref().map_err(Clone::clone)
    }

    /// This program's file.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn exe(&self) -> Result<&Path, Untold> {
        self.exe.as_deref().map_err(Clone::clone)
    }

    /// Where all that the user has lies, as it is set.
    pub fn home_dir(&self) -> Option<&Path> {
        self.home_dir.as_deref()
    }

    /// What of this a run needs.
    pub fn host_paths(&self) -> HostPaths {
        HostPaths {
            current_dir: self.current_dir.clone().ok(),
            temp_dir: self.temp_dir.clone(),
            home_dir: self.home_dir.clone(),
            exe: self.exe.clone().unwrap_or_else(|_| "wasmtest".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_variables_of_one_name_the_first_counts() {
        let process = ProcessEnv::made_up(
            &[("A", "1"), ("A", "2"), ("NO_COLOR", "")],
            Path::new("/here"),
        );
        assert_eq!(process.var("A"), Some("1"));
        assert_eq!(process.var("B"), None);
        assert!(process.allows_color());
        assert!(!ProcessEnv::made_up(&[("NO_COLOR", "1")], Path::new("/")).allows_color());
        assert_eq!(process.current_dir(), Ok(Path::new("/here")));
        assert_eq!(process.host_paths().exe, Path::new("wasmtest"));
    }

    /// What only [`ProcessEnv::read`] may ask of the system, and what only settings may load.
    const READS: [&str; 14] = [
        "env::var(",
        "env::var_os(",
        "env::vars(",
        "env::vars_os(",
        "env::args(",
        "env::args_os(",
        "env::current_dir(",
        "env::current_exe(",
        "env::temp_dir(",
        "env::home_dir(",
        "env::set_current_dir(",
        "env::set_var(",
        "env::{",
        "Config::load(",
    ];

    /// The lines in which something of that stands as code: in no comment, and in no text that
    /// begins in the same line.
    fn reads_in(source: &str) -> Vec<&str> {
        let is_code =
            |before: &str| !before.contains("//") && before.matches('"').count().is_multiple_of(2);
        let reads = |line: &&str| {
            let mut found = READS.iter().filter_map(|read| line.find(read));
            found.any(|at| is_code(&line[..at]))
        };
        source.lines().filter(reads).collect()
    }

    #[test]
    fn nobody_but_settings_reads_the_environment_or_loads_a_configuration() {
        let found = reads_in(
            "let a = std::env::var(\"A\");\n// std::env::var(\"B\")\nlet c = \"env::temp_dir()\";\nuse std::env::{self, args};\n",
        );
        let expected = [
            "let a = std::env::var(\"A\");",
            "use std::env::{self, args};",
        ];
        assert_eq!(found, expected);
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let files = walkdir::WalkDir::new(&sources).into_iter();
        let files = files.map(|entry| entry.expect("it can be read").into_path());
        let mut by_whom = Vec::new();
        for file in files.filter(|file| file.extension() == Some("rs".as_ref())) {
            let source = std::fs::read_to_string(&file).expect("it can be read");
            let file = file.strip_prefix(&sources).expect("it is below").to_owned();
            by_whom.extend(reads_in(&source).iter().map(|_| file.clone()));
        }
        assert!(by_whom.len() >= 8, "{by_whom:?}");
        by_whom.retain(|file| !file.starts_with("settings"));
        assert!(by_whom.is_empty(), "{by_whom:?}");
    }
}
