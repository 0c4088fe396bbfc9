//! What `#[wasmtest::setup]`, `teardown`, `before` and `after` make of a function: the
//! function, a record and an export for core modules of WASI 0.1, an entry in the
//! program's list of hooks elsewhere.
//!
//! A setup is made of as a fixture is, and is one by its name if it has a value.

use crate::fixture::{Maker, Yielded, function, kept, marker};
use crate::mark::{Holder, Mark, Marked};
use crate::parameters::{Arguments, Parameters};
use crate::record::{InComponents, Record, in_core_modules, runs};
use crate::sdk;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{ItemFn, Path, Result};

/// What a hook is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Setup,
    Teardown,
    Before,
    After,
}

impl Role {
    fn text(self) -> &'static str {
        match self {
            Role::Setup => "setup",
            Role::Teardown => "teardown",
            Role::Before => "before",
            Role::After => "after",
        }
    }

    fn variant(self) -> Ident {
        Ident::new(&format!("{self:?}"), Span::mixed_site())
    }
}

/// Expands `#[wasmtest::ROLE(arguments)] item`.
pub fn hook(role: Role, arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let holder = match role {
        Role::Setup => Holder::Setup,
        _ => Holder::OtherHook,
    };
    let marked = Marked::of(arguments, holder)?;
    let attribute = format!("#[wasmtest::{}]", role.text());
    let function = function(item, &attribute, &marked.executor)?;
    let sdk = sdk::path(marked.sdk);
    let parameters = Parameters::of(&sdk, &function.sig.ident, function.sig.inputs.iter())?;
    let looked_up = parameters.looked_up();
    let expanded = match role {
        Role::Setup => setup(&sdk, &function, marked.mark, marked.fresh, parameters)?,
        _ => other(role, &sdk, &function, &parameters),
    };
    let function_kept = kept(&function, &marked.executor);
    let only_one = only_one(role, &function.sig.ident);
    Ok(quote! {
        #function_kept
        #looked_up
        #expanded
        #only_one
    })
}

/// An item that clashes with that of a second hook of this role in the module.
fn only_one(role: Role, name: &Ident) -> TokenStream {
    let item = format_ident!(
        "THIS_MODULE_HAS_TWO_{}S",
        role.text().to_uppercase(),
        span = Span::call_site().located_at(name.span())
    );
    quote! {
        #[doc(hidden)]
        #[allow(dead_code)]
        const #item: () = ();
    }
}

fn setup(
    sdk: &Path,
    function: &ItemFn,
    mark: Option<Mark>,
    fresh: Option<()>,
    parameters: Parameters<'_>,
) -> Result<TokenStream> {
    let value = Yielded::of(&function.sig.output)?;
    let name = &function.sig.ident;
    // nobody can ask for nothing: such a setup has no item by its name
    let (named, scoped, marker_name) = match value.value {
        Some(_) => (Some(marker(&function.vis, name)), None, name.clone()),
        None => {
            let hidden = Ident::new("__WasmtestSetup", Span::mixed_site());
            (None, Some(quote!(enum #hidden {})), hidden)
        }
    };
    let maker = Maker {
        sdk,
        function,
        marker: &marker_name,
        parameters,
        value,
        shared: mark == Some(Mark::Shared),
        of_one_test: false,
        what: match mark {
            Some(Mark::Shared) => "the setup of a shared suite",
            _ => "a setup",
        },
        teardown: None,
    };
    maker.check()?;
    let text = name.to_string();
    let mut record = Record::of(sdk, "Hook", &text);
    record.text("Role", Role::Setup.text());
    if let Some(mark) = mark {
        record.text("Distribution", mark.text());
    }
    if fresh.is_some() {
        record.flag("Fresh");
    }
    let exports = maker.describe(&mut record);
    let record = record.with(&exports, InComponents::Always);
    let implementation = maker.implementation();
    let run = quote!(|| ::core::mem::drop(
        <#marker_name as #sdk::__private::Fixture>::get()
    ));
    let listed_here = listed(sdk, Role::Setup.variant(), maker.parameters.needs(), run);
    let marked = mark.and_then(|mark| listed_as(sdk, mark));
    Ok(quote! {
        #named

        const _: () = {
            #scoped
            #implementation
            #record
            #listed_here
            #marked
        };
    })
}

fn other(role: Role, sdk: &Path, function: &ItemFn, parameters: &Parameters<'_>) -> TokenStream {
    let name = &function.sig.ident;
    let text = name.to_string();
    let mut record = Record::of(sdk, "Hook", &text);
    record.text("Role", role.text());
    for path in parameters.paths() {
        record.text("Needs", path);
    }
    let Arguments { got, arguments } = parameters.arguments();
    // what it returns is judged where it says so
    let here = match &function.sig.output {
        syn::ReturnType::Default => name.span(),
        syn::ReturnType::Type(_, returned) => returned.span(),
    };
    let here = Span::call_site().located_at(here);
    let call = quote_spanned!(here=> #sdk::__private::Done::done(#name(#(#arguments),*)));
    let run = quote!(|| { #got #call });
    let export = runs(
        "wasmtest:",
        &text,
        quote!(#sdk::__private::instance::run_hook(#run)),
    );
    let record = record.with(&[export], InComponents::Always);
    let listed = listed(
        sdk,
        role.variant(),
        parameters.needs(),
        quote!(|| #sdk::__private::must_succeed(
            ::core::concat!(::core::module_path!(), "::", #text),
            #run,
        )),
    );
    let checks = match role {
        Role::Teardown => parameters.none_of_one_test("a teardown"),
        _ => TokenStream::new(),
    };
    quote! {
        #record
        #listed
        #checks
    }
}

/// The entry in the program's list, where there is no runner.
fn listed(sdk: &Path, role: Ident, needs: TokenStream, run: TokenStream) -> TokenStream {
    let condition = in_core_modules();
    quote! {
        #[cfg(not(#condition))]
        #sdk::__private::inventory::submit! {
            #sdk::__private::Hook {
                module: ::core::module_path!(),
                role: #sdk::__private::Role::#role,
                needs: #needs,
                run: #run,
            }
        }
    }
}

/// The entry that says how a suite is marked, where that makes a difference without a runner.
fn listed_as(sdk: &Path, mark: Mark) -> Option<TokenStream> {
    let role = Ident::new(mark.role_elsewhere()?, Span::mixed_site());
    let none = quote!(#sdk::__private::Needs { ahead: || {}, make: || {} });
    Some(listed(sdk, role, none, quote!(|| {})))
}
