//! What stands in the attribute's own brackets, and in the standard ones beside it.

use crate::cases::{self, Cases};
use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, ExprLit, Lit, LitStr, Meta, MetaList, Path, Result, Token};

/// `#[wasmtest::test(...)]`.
#[derive(Default)]
pub struct Arguments {
    /// Expected to fail, for this reason.
    pub todo: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Time limit in milliseconds.
    pub timeout: Option<u64>,
    /// Memory limit in bytes.
    pub max_memory: Option<u64>,
    /// What runs an `async fn`.
    pub executor: Option<Executor>,
    /// The path of the SDK, where it has another name.
    pub sdk: Option<Path>,
    /// What it is run with, each a test of its own.
    pub cases: Option<Cases>,
}

/// What runs an `async fn`.
pub enum Executor {
    /// A current-thread runtime of tokio's; the errors of its absence stand here.
    Tokio(Span),
    /// A function that takes the future.
    BlockOn(Path),
}

const KNOWN: &str = "`todo`, `tags(\"...\")`, `timeout = \"2s\"`, `max_memory = \"64MiB\"`, `tokio`, `block_on = path`, `cases(name = value)` and `crate = path`";

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut arguments = Arguments::default();
        for meta in Punctuated::<Meta, Token![,]>::parse_terminated(input)? {
            arguments.add(&meta)?;
        }
        Ok(arguments)
    }
}

impl Arguments {
    /// Parses the tokens in the brackets.
    pub fn of(tokens: TokenStream) -> Result<Self> {
        Arguments::parse.parse2(tokens)
    }

    fn add(&mut self, meta: &Meta) -> Result<()> {
        let Some(name) = meta.path().get_ident().map(ToString::to_string) else {
            return Err(Error::new(
                meta.span(),
                format!("unknown argument; there are {KNOWN}"),
            ));
        };
        match (name.as_str(), meta) {
            ("todo", Meta::Path(_)) => once(&mut self.todo, String::new(), meta),
            ("todo", Meta::NameValue(v)) => once(&mut self.todo, text(&v.value)?.value(), meta),
            ("tags", Meta::List(list)) if self.tags.is_empty() => {
                self.tags = tags(list)?;
                Ok(())
            }
            ("tags", Meta::List(_)) => Err(Error::new_spanned(
                meta,
                "this is said twice; name all tags in one list: tags(\"a\", \"b\")",
            )),
            ("timeout", Meta::NameValue(v)) => {
                once(&mut self.timeout, duration(&text(&v.value)?)?, meta)
            }
            ("max_memory", Meta::NameValue(v)) => {
                once(&mut self.max_memory, size(&text(&v.value)?)?, meta)
            }
            ("tokio" | "block_on", _) if self.executor.is_some() => Err(Error::new_spanned(
                meta,
                "one executor is named already: choose one of them",
            )),
            ("tokio", Meta::Path(path)) => {
                self.executor = Some(Executor::Tokio(path.span()));
                Ok(())
            }
            ("block_on", Meta::NameValue(v)) => {
                let why = "expected the path of a function that takes a future: block_on = pollster::block_on";
                self.executor = Some(Executor::BlockOn(path(&v.value, why)?));
                Ok(())
            }
            ("crate", Meta::NameValue(v)) => {
                let why =
                    "expected the path by which the SDK is known here, without quotes: crate = sdk";
                once(&mut self.sdk, path(&v.value, why)?, meta)
            }
            ("cases", Meta::List(list)) => once(&mut self.cases, Cases::of(list)?, meta),
            ("cases", _) => Err(cases::malformed(meta)),
            ("should_panic" | "ignore", _) => Err(Error::new(
                meta.span(),
                format!("write it as an attribute of its own, as beside #[test]: #[{name}]"),
            )),
            ("todo" | "tags" | "timeout" | "max_memory" | "tokio" | "block_on" | "crate", _) => {
                Err(Error::new(
                    meta.span(),
                    format!("`{name}` is not written like this; there are {KNOWN}"),
                ))
            }
            _ => Err(Error::new(
                meta.span(),
                format!("there is no argument `{name}`; there are {KNOWN}"),
            )),
        }
    }
}

/// Fills what an argument is for, or says that it is filled already.
pub fn once<T>(slot: &mut Option<T>, value: T, meta: &Meta) -> Result<()> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::new_spanned(meta, "this is said twice")),
    }
}

/// The value as a path, or why it should be one.
pub fn path(value: &Expr, why: &str) -> Result<Path> {
    match value {
        Expr::Path(expr) if expr.qself.is_none() && expr.attrs.is_empty() => Ok(expr.path.clone()),
        other => Err(Error::new_spanned(other, why)),
    }
}

fn tags(list: &MetaList) -> Result<Vec<String>> {
    let items = list.parse_args_with(Punctuated::<Expr, Token![,]>::parse_terminated)?;
    if items.is_empty() {
        return Err(Error::new_spanned(
            list,
            "there is no tag in this list: tags(\"slow\")",
        ));
    }
    let mut tags = Vec::new();
    for item in &items {
        let Ok(tag) = text(item) else {
            let said = item.to_token_stream();
            return Err(Error::new_spanned(
                item,
                format!("tags are texts in quotes, such as tags(\"slow\"), not `{said}`"),
            ));
        };
        let value = tag.value();
        if value.trim().is_empty() || value.contains(char::is_control) {
            return Err(Error::new_spanned(
                item,
                "a tag is a word or more on one line: an empty one could not be chosen",
            ));
        }
        if value.len() > 256 || tags.len() >= 64 {
            return Err(Error::new_spanned(
                item,
                "a test has at most 64 tags, each of at most 256 bytes",
            ));
        }
        if tags.contains(&value) {
            return Err(Error::new_spanned(item, "this tag is named twice"));
        }
        tags.push(value);
    }
    Ok(tags)
}

fn text(value: &Expr) -> Result<LitStr> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Ok(text.clone()),
        _ => Err(Error::new(value.span(), "expected a text in quotes")),
    }
}

/// A number and a unit, with the factor of each unit.
fn quantity(text: &LitStr, units: &[(&str, f64)], example: &str) -> Result<u64> {
    let value = text.value();
    let unit = value.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = value[..value.len() - unit.len()].parse::<f64>().ok();
    let factor = units
        .iter()
        .find(|(u, _)| *u == unit.trim())
        .map(|(_, f)| f);
    match (number, factor) {
        (Some(number), Some(factor)) if number * factor >= 1.0 && number * factor < 1e15 => {
            Ok((number * factor) as u64)
        }
        _ => Err(Error::new(
            text.span(),
            format!("expected a number above 0 and a unit, such as {example}"),
        )),
    }
}

fn duration(text: &LitStr) -> Result<u64> {
    let units = [("ms", 1.0), ("s", 1e3), ("m", 60e3), ("min", 60e3)];
    match quantity(text, &units, "\"500ms\", \"2s\" or \"1.5m\"")? {
        day if day > 24 * 3600 * 1000 => Err(Error::new(
            text.span(),
            "no test is worth waiting for longer than a day",
        )),
        milliseconds => Ok(milliseconds),
    }
}

fn size(text: &LitStr) -> Result<u64> {
    let kib = 1024.0;
    let units = [("KiB", kib), ("MiB", kib * kib), ("GiB", kib * kib * kib)];
    quantity(text, &units, "\"512KiB\" or \"64MiB\"")
}

/// What the standard attributes beside ours say; those that are not about
/// testing are left where they are.
#[derive(Default)]
pub struct Standard {
    /// `#[ignore]`, with its reason.
    pub ignored: Option<String>,
    /// `#[should_panic]`, with what the message must contain.
    pub should_panic: Option<String>,
    /// The first paragraph of the documentation.
    pub description: String,
    /// The attributes that only a test function may have.
    pub of_tests: Vec<Attribute>,
    /// All others.
    pub others: Vec<Attribute>,
}

impl Standard {
    /// Reads a function's attributes.
    pub fn of(attributes: Vec<Attribute>) -> Result<Self> {
        let mut standard = Standard::default();
        let mut paragraph_ended = false;
        for attribute in attributes {
            let path = attribute.path();
            if path.is_ident("ignore") {
                once(&mut standard.ignored, reason(&attribute)?, &attribute.meta)?;
                standard.of_tests.push(attribute);
            } else if path.is_ident("should_panic") {
                once(
                    &mut standard.should_panic,
                    expected(&attribute)?,
                    &attribute.meta,
                )?;
                standard.of_tests.push(attribute);
            } else if path.segments.last().is_some_and(|s| s.ident == "test") {
                return Err(another_test(&attribute));
            } else {
                if let Meta::NameValue(v) = &attribute.meta
                    && attribute.path().is_ident("doc")
                    && let Ok(line) = text(&v.value)
                {
                    let line = line.value();
                    paragraph_ended |= line.trim().is_empty() && !standard.description.is_empty();
                    if !paragraph_ended {
                        if !standard.description.is_empty() {
                            standard.description.push(' ');
                        }
                        standard.description.push_str(line.trim());
                    }
                }
                standard.others.push(attribute);
            }
        }
        Ok(standard)
    }
}

fn reason(attribute: &Attribute) -> Result<String> {
    match &attribute.meta {
        Meta::Path(_) => Ok(String::new()),
        Meta::NameValue(v) => Ok(text(&v.value)?.value()),
        Meta::List(list) => Err(Error::new(list.span(), "write #[ignore = \"reason\"]")),
    }
}

fn expected(attribute: &Attribute) -> Result<String> {
    const WRITE: &str = "write #[should_panic] or #[should_panic(expected = \"text\")]";
    match &attribute.meta {
        Meta::Path(_) => Ok(String::new()),
        Meta::NameValue(v) => Ok(text(&v.value)?.value()),
        Meta::List(list) => match list.parse_args::<Meta>() {
            Ok(Meta::NameValue(v)) if v.path.is_ident("expected") => Ok(text(&v.value)?.value()),
            _ => Err(Error::new_spanned(&list.tokens, WRITE)),
        },
    }
}

/// A second attribute that makes a test of the function.
fn another_test(attribute: &Attribute) -> Error {
    let path = attribute.path();
    let first = path.segments.first().map(|s| s.ident.to_string());
    let why = match first.as_deref() {
        Some("tokio") => {
            "#[wasmtest::test] stands in place of #[tokio::test]: write #[wasmtest::test(tokio)] alone"
        }
        _ if path.segments.len() == 1 || first.as_deref() == Some("core") => {
            "#[wasmtest::test] stands in place of #[test]: remove one of them"
        }
        _ => "this function is a test already: remove one of the attributes",
    };
    Error::new_spanned(&attribute.meta, why)
}

/// An error at a place.
pub fn error<T>(span: Span, message: &str) -> Result<T> {
    Err(Error::new(span, message))
}
