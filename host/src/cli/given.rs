//! Flags given back as words: for a command that is shown, and for others that are started.
//!
//! [`Given`] stands around a group of flags where it is flattened into a command, and keeps what
//! was typed for them, or stood in their variables, from the same definition by which clap reads
//! them: a new flag needs no line here.

use crate::text::shell_quote;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, Id};
use std::ffi::{OsStr, OsString};
use std::ops::{Deref, DerefMut};

/// What a group of flags says, and the words that said it.
#[derive(Clone, Debug)]
pub struct Given<T> {
    args: T,
    words: Words,
}

impl<T> Given<T> {
    /// The words that said it, in the order of the definition; none for what is so by default.
    pub fn words(&self) -> &Words {
        &self.words
    }
}

impl<T> Deref for Given<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.args
    }
}

impl<T> DerefMut for Given<T> {
    /// Changes what is said, and no word.
    fn deref_mut(&mut self) -> &mut T {
        &mut self.args
    }
}

impl<T: Args> Args for Given<T> {
    fn group_id() -> Option<Id> {
        T::group_id()
    }

    fn augment_args(command: Command) -> Command {
        T::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        T::augment_args_for_update(command)
    }
}

impl<T: Args> FromArgMatches for Given<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Self::from_arg_matches_mut(&mut matches.clone())
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        // reading takes them out of the matches
        let words = Words::of(&T::augment_args(Command::new("")), matches);
        let args = T::from_arg_matches_mut(matches)?;
        Ok(Given { args, words })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Flags, each with its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(Vec<Flag>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Flag {
    /// As it is typed.
    flag: String,
    value: Option<OsString>,
}

impl Flag {
    fn is(&self, name: &str) -> bool {
        self.flag.trim_start_matches('-') == name
    }
}

impl Words {
    fn of(command: &Command, matches: &ArgMatches) -> Words {
        let mut words = Words::default();
        for arg in command.get_arguments() {
            words.read(arg, matches);
        }
        words
    }

    fn read(&mut self, arg: &Arg, matches: &ArgMatches) {
        let id = arg.get_id().as_str();
        let flag = match (arg.get_long(), arg.get_short()) {
            (Some(long), _) => format!("--{long}"),
            (None, Some(short)) => format!("-{short}"),
            (None, None) => return,
        };
        let by_variable = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => false,
            Some(ValueSource::EnvVariable) => true,
            _ => return,
        };
        match arg.get_action() {
            ArgAction::SetTrue => self.add(&flag, None),
            ArgAction::Count => {
                for _ in 0..matches.get_count(id) {
                    self.add(&flag, None);
                }
            }
            _ => {
                let values: Vec<&OsStr> = matches.get_raw(id).into_iter().flatten().collect();
                let is_default = arg.get_default_values() == values;
                // a variable that is empty is none
                let is_none = by_variable && values.iter().all(|value| value.is_empty());
                if is_default && !values.is_empty() || is_none {
                    return;
                }
                for value in values {
                    self.add(&flag, Some(value.to_owned()));
                }
            }
        }
    }

    /// Adds a flag, as it is typed.
    pub fn add(&mut self, flag: &str, value: Option<OsString>) {
        self.0.push(Flag {
            flag: flag.to_owned(),
            value,
        });
    }

    /// Adds all of these.
    pub fn extend(&mut self, words: Words) {
        self.0.extend(words.0);
    }

    /// Those of these names (without dashes), in this order.
    pub fn only(&self, names: &[&str]) -> Words {
        let named = names
            .iter()
            .flat_map(|name| self.0.iter().filter(|flag| flag.is(name)));
        Words(named.cloned().collect())
    }

    /// All but those of these names (without dashes).
    pub fn without(&self, names: &[&str]) -> Words {
        let others = self
            .0
            .iter()
            .filter(|flag| !names.iter().any(|n| flag.is(n)));
        Words(others.cloned().collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As arguments of a program.
    pub fn args(&self) -> impl Iterator<Item = &OsStr> {
        self.0
            .iter()
            .flat_map(|f| std::iter::once(OsStr::new(&f.flag)).chain(f.value.as_deref()))
    }

    /// As they are typed into a shell, a space before each.
    pub fn for_shell(&self) -> String {
        self.args()
            .map(|word| format!(" {}", shell_quote(&word.to_string_lossy())))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::cargo::{CargoRest, CargoWasmtest};
    use clap::{CommandFactory as _, Parser as _};

    fn words(words: &Words) -> String {
        words.for_shell().trim().to_owned()
    }

    #[test]
    fn what_was_given_is_given_back_and_nothing_else() {
        let line = "x --rw a=b --env A --no-package-dir --test-threads 0 -x --wasm-stack 8 \
            --rw c --dir 'd'";
        let typed = line.split_whitespace();
        let rest = CargoRest::try_parse_from(std::iter::once("c").chain(typed)).expect("valid");
        assert_eq!(
            words(rest.grants.words()),
            "--rw a=b --rw c --no-package-dir"
        );
        let options = rest.options.words();
        assert_eq!(
            words(options),
            r"--processes 0 --fail-fast --dir ''\''d'\''' --env A"
        );
        assert_eq!(
            words(&options.only(&["env", "processes"])),
            "--env A --processes 0"
        );
        assert_eq!(
            words(&options.without(&["dir", "env"])),
            "--processes 0 --fail-fast"
        );
    }

    #[test]
    fn counted_and_short_flags_are_given_back_too() {
        let args = ["c", "-vv", "-Zx", "-Z", "y", "-F", "a b", "--all"];
        let args = CargoWasmtest::try_parse_from(args).expect("valid");
        assert_eq!(
            words(args.build.words()),
            "--features 'a b' -Z x -Z y --verbose --verbose"
        );
        assert_eq!(words(args.packages.words()), "--workspace");
        assert!(args.targets.words().is_empty());
    }

    #[test]
    fn every_name_in_a_list_is_a_flags() {
        let known = |command: Command, names: &[&str]| {
            for name in names {
                let mut args = command.get_arguments();
                let is = |arg: &Arg| {
                    arg.get_long() == Some(name)
                        || arg.get_short().is_some_and(|s| s.to_string() == **name)
                };
                assert!(args.any(is), "{name}");
            }
        };
        use crate::cli::{Cli, RERUN, TAKEN_FOR, cargo};
        for names in [
            &cargo::OURS[..],
            &cargo::COMMON,
            &cargo::SHOWN,
            &cargo::RERUN,
        ] {
            known(CargoWasmtest::command(), names);
        }
        for names in [&RERUN[..], &cargo::OF_RUNNER] {
            known(CargoRest::command(), names);
        }
        for command in Cli::command().get_subcommands() {
            if ["run", "list"].contains(&command.get_name()) {
                known(command.clone(), &TAKEN_FOR);
            }
        }
    }
}
