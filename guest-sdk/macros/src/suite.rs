//! What `#[wasmtest::suite]` makes of a module: the module as it was, and a record
//! that says that it is a suite. A setup in it learns of the mark.

use crate::mark::{Holder, Mark, Marked};
use crate::record::{InComponents, Record, in_core_modules};
use crate::sdk;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{Attribute, Error, Item, ItemMod, Meta, Path, Result, parse_quote};

/// Expands `#[wasmtest::suite(arguments)] item`.
pub fn suite(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let marked = Marked::of(arguments, Holder::Suite)?;
    let mut module: ItemMod = syn::parse2(item)
        .map_err(|e| Error::new(e.span(), "#[wasmtest::suite] stands before a module"))?;
    let again = module.attrs.iter().find(|a| is(a, "suite"));
    if let Some(again) = again {
        return Err(Error::new_spanned(
            again,
            "the module is a suite already, and has one mark: remove one of the attributes",
        ));
    }
    let Some((_, items)) = &mut module.content else {
        return Err(Error::new_spanned(
            &module,
            "the content of this module is in a file that is not seen here: write the mark on a setup in that file, #[wasmtest::setup(split)]",
        ));
    };
    if let Some(mark) = marked.mark {
        for item in items {
            if let Item::Fn(function) = item {
                hand_on(mark, &mut function.attrs)?;
            }
        }
    }
    let sdk = sdk::path(marked.sdk);
    let name = module.ident.to_string();
    let mut record = Record::of(&sdk, "Suite", &name);
    if let Some(mark) = marked.mark {
        record.text("Distribution", mark.text());
    }
    let record = record.with(&[], InComponents::Never);
    let elsewhere = elsewhere(&sdk, &name, marked.mark);
    Ok(quote! {
        #module
        #record
        #elsewhere
    })
}

/// Where there is no runner a list says how the suite is marked.
fn elsewhere(sdk: &Path, name: &str, mark: Option<Mark>) -> Option<TokenStream> {
    let condition = in_core_modules();
    let role = Ident::new(mark?.role_elsewhere()?, Span::mixed_site());
    Some(quote! {
        #[cfg(not(#condition))]
        #sdk::__private::inventory::submit! {
            #sdk::__private::Hook {
                module: ::core::concat!(::core::module_path!(), "::", #name),
                role: #sdk::__private::Role::#role,
                needs: #sdk::__private::Needs { ahead: || {}, make: || {} },
                run: || {},
            }
        }
    })
}

/// Adds the module's mark to the attribute of a setup.
fn hand_on(mark: Mark, attributes: &mut [Attribute]) -> Result<()> {
    for attribute in attributes.iter_mut().filter(|a| is(a, "setup")) {
        let path = attribute.path().clone();
        let said = match &attribute.meta {
            Meta::Path(_) => TokenStream::new(),
            Meta::List(list) => list.tokens.clone(),
            // the setup's own attribute says what is wrong
            Meta::NameValue(_) => continue,
        };
        let of_setup = Marked::of(said.clone(), Holder::Setup)?;
        let mark_text = proc_macro2::Ident::new(mark.text(), proc_macro2::Span::call_site());
        match of_setup.mark {
            Some(same) if same == mark => {}
            Some(other) => {
                return Err(Error::new_spanned(
                    attribute,
                    format!(
                        "the module is marked `{}` and its setup `{}`: a suite has one mark",
                        mark.text(),
                        other.text()
                    ),
                ));
            }
            None if said.is_empty() => attribute.meta = parse_quote!(#path(#mark_text)),
            None => attribute.meta = parse_quote!(#path(#mark_text, #said)),
        }
    }
    Ok(())
}

fn is(attribute: &Attribute, name: &str) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|segment| segment.ident == name)
}

/// What stays of the item after an error.
pub fn left(item: TokenStream) -> TokenStream {
    match syn::parse2::<ItemMod>(item.clone()) {
        Ok(mut module) => {
            module.attrs.retain(|attribute| !is(attribute, "suite"));
            module.into_token_stream()
        }
        Err(_) => item,
    }
}
