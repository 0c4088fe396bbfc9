//! What stands in the brackets of suites, hooks and fixtures: a mark, and what a
//! fixture may say besides.

use crate::arguments::{Executor, once, path};
use proc_macro2::TokenStream;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Meta, Path, Result, Token};

/// How a suite or a fixture is distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Unit,
    Split,
    Shared,
    Serial,
}

impl Mark {
    const ALL: [Mark; 4] = [Mark::Unit, Mark::Split, Mark::Shared, Mark::Serial];

    /// The mark as it is written.
    pub fn text(self) -> &'static str {
        match self {
            Mark::Unit => "unit",
            Mark::Split => "split",
            Mark::Shared => "shared",
            Mark::Serial => "serial",
        }
    }

    /// How it stands in a program's list of hooks, if it makes a difference without a runner.
    pub fn role_elsewhere(self) -> Option<&'static str> {
        match self {
            Mark::Shared => Some("Shared"),
            Mark::Serial => Some("Serial"),
            Mark::Unit | Mark::Split => None,
        }
    }

    /// The mark that is written so.
    pub fn of(text: &str) -> Option<Mark> {
        Mark::ALL.into_iter().find(|mark| mark.text() == text)
    }
}

/// Whose brackets they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    Suite,
    Setup,
    /// A teardown, a before or an after.
    OtherHook,
    Fixture,
}

impl Holder {
    fn known(self) -> &'static str {
        match self {
            Holder::Suite => "`unit`, `split`, `shared`, `serial` and `crate = path`",
            Holder::Setup => {
                "`unit`, `split`, `shared`, `serial`, `fresh`, `tokio`, `block_on = path` and `crate = path`"
            }
            Holder::OtherHook => "`tokio`, `block_on = path` and `crate = path`",
            Holder::Fixture => {
                "`unit`, `split`, `shared`, `fresh`, `teardown = path`, `tokio`, `block_on = path` and `crate = path`"
            }
        }
    }
}

/// What stands in the brackets.
#[derive(Default)]
pub struct Marked {
    /// The mark, if there is one.
    pub mark: Option<Mark>,
    /// Never replayed from a snapshot.
    pub fresh: Option<()>,
    /// What tears it down.
    pub teardown: Option<Path>,
    /// What runs an `async fn`.
    pub executor: Option<Executor>,
    /// The path of the SDK, where it has another name.
    pub sdk: Option<Path>,
}

impl Marked {
    /// Parses the tokens in the brackets.
    pub fn of(tokens: TokenStream, holder: Holder) -> Result<Self> {
        let mut marked = Marked::default();
        let metas = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(tokens)?;
        for meta in &metas {
            marked.add(meta, holder)?;
        }
        if let (Some(()), Some(Mark::Shared)) = (marked.fresh, marked.mark) {
            return Err(Error::new_spanned(
                metas,
                "a shared fixture is computed once, a fresh one for each test: choose one of them",
            ));
        }
        Ok(marked)
    }

    fn add(&mut self, meta: &Meta, holder: Holder) -> Result<()> {
        let name = meta.path().get_ident().map(ToString::to_string);
        let name = name.as_deref().unwrap_or_default();
        let runs = holder != Holder::Suite;
        let fixture = holder == Holder::Fixture;
        match (Mark::of(name), meta) {
            (Some(mark), Meta::Path(_)) => return self.add_mark(mark, meta, holder),
            (Some(mark), _) => {
                let why = format!("a mark stands alone: `{}`", mark.text());
                return Err(Error::new_spanned(meta, why));
            }
            (None, _) => {}
        }
        match (name, meta) {
            ("fresh", Meta::Path(_)) if fixture || holder == Holder::Setup => {
                once(&mut self.fresh, (), meta)
            }
            ("teardown", Meta::NameValue(v)) if fixture => {
                let why = "expected the path of a function that takes a reference to the value, without quotes: teardown = close";
                once(&mut self.teardown, path(&v.value, why)?, meta)
            }
            ("tokio" | "block_on", _) if runs && self.executor.is_some() => Err(
                Error::new_spanned(meta, "one executor is named already: choose one of them"),
            ),
            ("tokio", Meta::Path(path)) if runs => {
                self.executor = Some(Executor::Tokio(path.span()));
                Ok(())
            }
            ("block_on", Meta::NameValue(v)) if runs => {
                let why = "expected the path of a function that takes a future: block_on = pollster::block_on";
                self.executor = Some(Executor::BlockOn(path(&v.value, why)?));
                Ok(())
            }
            ("crate", Meta::NameValue(v)) => {
                let why =
                    "expected the path by which the SDK is known here, without quotes: crate = sdk";
                once(&mut self.sdk, path(&v.value, why)?, meta)
            }
            _ => Err(Error::new_spanned(
                meta,
                format!("this is not known here; there are {}", holder.known()),
            )),
        }
    }

    fn add_mark(&mut self, mark: Mark, meta: &Meta, holder: Holder) -> Result<()> {
        match (self.mark, holder) {
            (_, Holder::OtherHook) => Err(Error::new_spanned(
                meta,
                "the mark of a suite stands on its module or on its setup: #[wasmtest::setup(split)]",
            )),
            (_, Holder::Fixture) if mark == Mark::Serial => Err(Error::new_spanned(
                meta,
                "a fixture is `unit`, `split` or `shared`: only a suite's tests can be serial",
            )),
            (None, _) => {
                self.mark = Some(mark);
                Ok(())
            }
            (Some(first), _) if first == mark => {
                Err(Error::new_spanned(meta, "this is said twice"))
            }
            (Some(first), _) => Err(Error::new_spanned(
                meta,
                format!(
                    "it is marked `{}` already, and has one mark: choose one of them",
                    first.text()
                ),
            )),
        }
    }
}
