//! A value that borrows from the call that made it: there is no such fixture, and rustc
//! would say so of code that the user did not write.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{
    Error, GenericArgument, ItemFn, Lifetime, PathArguments, Result, ReturnType, Type,
    TypeReference,
};

/// Refuses the type of a value in which something is borrowed from an unnamed place.
pub fn refuse(value: &Type) -> Result<()> {
    match borrowed(value) {
        None => Ok(()),
        Some(Borrowed::By(reference)) => Err(Error::new_spanned(reference, why(reference))),
        Some(Borrowed::In(lifetime)) => Err(Error::new_spanned(
            lifetime,
            "a fixture's value outlives the call that makes it, and borrows nothing from it: write an owned type, or `'static` for what is borrowed for ever",
        )),
    }
}

enum Borrowed<'a> {
    By(&'a TypeReference),
    In(&'a Lifetime),
}

/// What to write in place of a reference: the type that owns what it leads to.
fn why(reference: &TypeReference) -> String {
    let inner = &*reference.elem;
    let last = match inner {
        Type::Path(path) => path.path.segments.last().map(|s| s.ident.to_string()),
        _ => None,
    };
    let owned = match (last.as_deref(), inner) {
        (Some("str"), _) => "String".to_owned(),
        (Some("Path"), _) => "PathBuf".to_owned(),
        (Some("OsStr"), _) => "OsString".to_owned(),
        (_, Type::Slice(slice)) => format!("Vec<{}>", written(&slice.elem)),
        _ => written(inner),
    };
    let inner = written(inner);
    let (borrowed, forever) = (format!("&{inner}"), format!("&'static {inner}"));
    format!(
        "a fixture's value outlives the call that makes it, and borrows nothing from it: write `{owned}` for `{borrowed}`, which those who ask for it can still borrow, or `{forever}` for what is there for ever"
    )
}

/// A type as people write it.
fn written(ty: &Type) -> String {
    let spaced = ty.to_token_stream().to_string();
    let signs = [(" :: ", "::"), (" < ", "<"), (" >", ">"), (" ,", ",")];
    signs
        .iter()
        .fold(spaced, |text, (spaced, plain)| text.replace(spaced, plain))
}

/// What stays of the item after an error: nothing of a function that returns such a value,
/// for which rustc has an error of its own.
pub fn left(item: TokenStream) -> TokenStream {
    match syn::parse2::<ItemFn>(item.clone()).map(|function| function.sig.output) {
        Ok(ReturnType::Type(_, returned)) if borrowed(&returned).is_some() => TokenStream::new(),
        _ => item,
    }
}

/// The first borrow without a named lifetime. In the type of a function one is a
/// parameter's, and none of the value's.
fn borrowed(value: &Type) -> Option<Borrowed<'_>> {
    match value {
        Type::Reference(reference) => match &reference.lifetime {
            None => Some(Borrowed::By(reference)),
            Some(lifetime) if lifetime.ident == "_" => Some(Borrowed::By(reference)),
            Some(_) => borrowed(&reference.elem),
        },
        Type::Tuple(tuple) => tuple.elems.iter().find_map(borrowed),
        Type::Array(array) => borrowed(&array.elem),
        Type::Slice(slice) => borrowed(&slice.elem),
        Type::Paren(paren) => borrowed(&paren.elem),
        Type::Group(group) => borrowed(&group.elem),
        Type::Path(path) => {
            let segments = path.path.segments.iter();
            let arguments = segments.filter_map(|segment| match &segment.arguments {
                PathArguments::AngleBracketed(arguments) => Some(&arguments.args),
                PathArguments::None | PathArguments::Parenthesized(_) => None,
            });
            arguments.flatten().find_map(|argument| match argument {
                GenericArgument::Type(ty) => borrowed(ty),
                GenericArgument::Lifetime(lifetime) if lifetime.ident == "_" => {
                    Some(Borrowed::In(lifetime))
                }
                _ => None,
            })
        }
        _ => None,
    }
}
