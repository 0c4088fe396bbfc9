//! `cases(name = value, ...)` of a test: each is a test of its own, that gives its
//! values to the function's first parameters.

use proc_macro2::Ident;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Expr, Meta, MetaList, Result, Signature, Token};

/// The cases of a test: at least one, all of as many values.
pub struct Cases {
    /// Them, in order.
    pub all: Vec<Case>,
    /// How many parameters of the function each gives a value.
    pub values: usize,
}

/// A case.
pub struct Case {
    /// Its name, which is that of a function where there is no runner.
    pub name: Ident,
    /// What it gives to the first parameters.
    pub values: Vec<Expr>,
    /// The value as it was written.
    written: Expr,
}

impl Parse for Case {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let why =
            "a case is written `name = value`, or `name = (value, value)` for as many parameters";
        let because = |e: Error| Error::new(e.span(), why);
        let name = input.parse().map_err(because)?;
        input.parse::<Token![=]>().map_err(because)?;
        let written: Expr = input.parse()?;
        let values = match &written {
            Expr::Tuple(tuple) if !tuple.elems.is_empty() => tuple.elems.iter().cloned().collect(),
            value => vec![value.clone()],
        };
        Ok(Case {
            name,
            values,
            written,
        })
    }
}

impl Cases {
    /// Reads what stands in the brackets of `cases`.
    pub fn of(list: &MetaList) -> Result<Self> {
        let all = list.parse_args_with(Punctuated::<Case, Token![,]>::parse_terminated)?;
        let all: Vec<Case> = all.into_iter().collect();
        let Some(first) = all.first() else {
            return Err(Error::new_spanned(
                list,
                "there is no case in this list: cases(empty = \"\", one = \"a\")",
            ));
        };
        let values = first.values.len();
        for (i, case) in all.iter().enumerate() {
            if all[..i].iter().any(|other| other.name == case.name) {
                return Err(Error::new(
                    case.name.span(),
                    format!(
                        "there are two cases `{}`: each is a test by its name",
                        case.name
                    ),
                ));
            }
            if case.values.len() != values {
                return Err(Error::new_spanned(
                    &case.written,
                    format!(
                        "the case `{}` has {}, this one has {}: all give values to the same parameters",
                        all[0].name,
                        count(values),
                        count(case.values.len()),
                    ),
                ));
            }
        }
        Ok(Cases { all, values })
    }

    /// Whether the function has parameters for the values.
    pub fn check(&self, signature: &Signature) -> Result<()> {
        let parameters = signature.inputs.len();
        match self.all.first() {
            Some(case) if self.values > parameters => Err(Error::new(
                case.written.span(),
                format!(
                    "this case has {}, and `{}` has {}",
                    count(self.values),
                    signature.ident,
                    match parameters {
                        0 => "no parameter".to_owned(),
                        1 => "one parameter (in one more pair of brackets a tuple is one value: `((1, 2),)`)".to_owned(),
                        n => format!("{n} parameters"),
                    }
                ),
            )),
            _ => Ok(()),
        }
    }
}

fn count(values: usize) -> String {
    match values {
        1 => "one value".to_owned(),
        n => format!("{n} values"),
    }
}

/// The error for `cases` in another form.
pub fn malformed(meta: &Meta) -> Error {
    Error::new_spanned(
        meta,
        "cases are a list of names and values: cases(empty = \"\", pair = (\"x\", 2))",
    )
}
