//! The parameters of tests, hooks and fixtures: each is a fixture by its name, which
//! is looked up as a type of that name.
//!
//! It is looked up in one place, where it is given another name for all others. That
//! place comes from a macro whose name says what it means that there is no such type:
//! rustc's own words cannot be changed, but they name the macro.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, FnArg, Pat, Path, Result, Token, Type};

/// Parameters that are fixtures.
pub struct Parameters<'a> {
    sdk: &'a Path,
    all: Vec<Parameter<'a>>,
}

struct Parameter<'a> {
    /// The fixture's name.
    name: &'a Ident,
    /// The name by which it is looked up everywhere else.
    alias: Ident,
    /// What is wanted of its value: `&T` or `T`.
    wanted: &'a Type,
    /// Locals for the value as it is held and as it is handed over.
    held: Ident,
    argument: Ident,
}

/// Values of fixtures, ready for a call.
pub struct Arguments {
    /// Statements that get them.
    pub got: TokenStream,
    /// What is handed over, in order.
    pub arguments: Vec<Ident>,
}

impl<'a> Parameters<'a> {
    /// Reads those of the function of this name; errors say what can be written.
    pub fn of(
        sdk: &'a Path,
        function: &Ident,
        inputs: impl Iterator<Item = &'a FnArg>,
    ) -> Result<Self> {
        let inputs = inputs.enumerate();
        let all = inputs.map(|(i, input)| parameter(i, function, input));
        let all: Vec<_> = all.collect::<Result<_>>()?;
        for (i, parameter) in all.iter().enumerate() {
            if all[..i].iter().any(|other| other.name == parameter.name) {
                return Err(Error::new(
                    parameter.name.span(),
                    "this fixture is a parameter already",
                ));
            }
        }
        Ok(Parameters { sdk, all })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Looks them up: items that stand beside the function.
    pub fn looked_up(&self) -> TokenStream {
        if self.all.is_empty() {
            return TokenStream::new();
        }
        let sdk = self.sdk;
        let aliases = self.all.iter().map(|parameter| &parameter.alias);
        let names = self.all.iter().map(|parameter| parameter.name);
        quote! {
            #sdk::__private::no_fixture_of_this_name_is_in_scope_import_it_with_use_or_mark_a_function_with_fixture! {
                #(#aliases = #names),*
            }
        }
    }

    /// The paths of the fixtures, as expressions known at compile time.
    pub fn paths(&self) -> Vec<TokenStream> {
        self.each(|fixture, here| quote_spanned!(here=> #fixture::PATH))
    }

    /// How many fixtures stand one on the other, those of all of them, as an expression.
    pub fn depth(&self) -> TokenStream {
        let sdk = self.sdk;
        let depths = self.each(|fixture, here| quote_spanned!(here=> #fixture::DEPTH));
        let none = quote!(0);
        depths.into_iter().fold(
            none,
            |deepest, depth| quote!(#sdk::__private::deeper(#deepest, #depth)),
        )
    }

    /// What makes them, as an expression.
    pub fn needs(&self) -> TokenStream {
        let sdk = self.sdk;
        let ahead = self.ahead();
        let make = self.each(|fixture, here| quote_spanned!(here=> #fixture::get()));
        quote! {
            #sdk::__private::Needs {
                ahead: || { #ahead },
                make: || { #(::core::mem::drop(#make);)* },
            }
        }
    }

    /// Statements that make what they need that is not one test's own.
    pub fn ahead(&self) -> TokenStream {
        let ahead = self.each(|fixture, here| quote_spanned!(here=> #fixture::ahead()));
        quote!(#(#ahead;)*)
    }

    fn each(&self, of: impl Fn(TokenStream, Span) -> TokenStream) -> Vec<TokenStream> {
        let fixtures = self.all.iter();
        fixtures
            .map(|p| of(fixture(self.sdk, &p.alias), located(p.name.span())))
            .collect()
    }

    /// Fails the build where one of them is not shared, for something that is.
    pub fn all_shared(&self, what: &str) -> TokenStream {
        self.checks(
            |fixture| quote!(#fixture::SHARED),
            |name| {
                format!(
                    "{what} is computed once for all tests and `{name}` is not: mark `{name}` as \
                     shared, or do not ask for it here"
                )
            },
        )
    }

    /// Fails the build where one of them is one test's own, for something that lives longer.
    pub fn none_of_one_test(&self, what: &str) -> TokenStream {
        self.checks(
            |fixture| quote!(!#fixture::OF_ONE_TEST),
            |name| {
                format!(
                    "{what} is there for several tests, and `{name}` is made for each of them: mark \
                     `{name}` as unit, split or shared, or do not ask for it here"
                )
            },
        )
    }

    fn checks(
        &self,
        holds: impl Fn(TokenStream) -> TokenStream,
        why: impl Fn(&Ident) -> String,
    ) -> TokenStream {
        let checks = self.all.iter().map(|parameter| {
            let name = parameter.name;
            let holds = holds(fixture(self.sdk, &parameter.alias));
            let why = why(name);
            let here = located(name.span());
            quote_spanned!(here=> const _: () = ::core::assert!(#holds, #why);)
        });
        quote!(#(#checks)*)
    }

    /// Gets the values.
    pub fn arguments(&self) -> Arguments {
        let got = self.all.iter().map(|parameter| {
            let Parameter {
                name,
                alias,
                wanted,
                held,
                argument,
            } = parameter;
            let get = fixture(self.sdk, alias);
            let get = quote_spanned!(located(name.span())=> #get::get());
            // an error of types stands at the type that the user wrote
            let mut held_there = held.clone();
            held_there.set_span(held.span().located_at(wanted.span()));
            let value = match wanted {
                Type::Reference(_) => quote_spanned!(wanted.span()=> &*#held_there),
                _ => quote_spanned!(wanted.span()=> ::core::clone::Clone::clone(&*#held_there)),
            };
            quote! {
                let #held = #get;
                let #argument: #wanted = #value;
            }
        });
        Arguments {
            got: quote!(#(#got)*),
            arguments: self.all.iter().map(|p| p.argument.clone()).collect(),
        }
    }
}

/// Where the user wrote something, for errors in code that is not the user's.
fn located(span: Span) -> Span {
    Span::call_site().located_at(span)
}

fn fixture(sdk: &Path, alias: &Ident) -> TokenStream {
    let here = located(alias.span());
    quote_spanned!(here=> <#alias as #sdk::__private::Fixture>)
}

/// Expands the macro in which fixtures are looked up: `alias = name, ...`.
pub fn look_up(tokens: TokenStream) -> Result<TokenStream> {
    let lookup = |input: syn::parse::ParseStream<'_>| -> Result<TokenStream> {
        let alias: Ident = input.parse()?;
        input.parse::<Token![=]>()?;
        let mut name: Ident = input.parse()?;
        // where the user wrote it, and in the expansion of this macro
        name.set_span(located(name.span()));
        Ok(quote! {
            #[doc(hidden)]
            #[allow(non_camel_case_types, dead_code)]
            type #alias = #name;
        })
    };
    let all = |input: syn::parse::ParseStream<'_>| {
        Punctuated::<TokenStream, Token![,]>::parse_terminated_with(input, lookup)
    };
    Ok(all.parse2(tokens)?.into_iter().collect())
}

fn parameter<'a>(number: usize, function: &Ident, input: &'a FnArg) -> Result<Parameter<'a>> {
    let typed = match input {
        FnArg::Typed(typed) => typed,
        FnArg::Receiver(receiver) => {
            return Err(Error::new(
                receiver.self_token.span,
                "this is a function, not a method: move it out of the `impl`",
            ));
        }
    };
    if let Some(attribute) = typed.attrs.first() {
        return Err(Error::new_spanned(
            attribute,
            "a fixture as a parameter has no attributes",
        ));
    }
    let name = match &*typed.pat {
        Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.subpat.is_none() => {
            &pattern.ident
        }
        pattern => {
            return Err(Error::new_spanned(
                pattern,
                "a parameter is the name of a fixture: write `name: &Type`, and take it apart in the body",
            ));
        }
    };
    let wanted = &*typed.ty;
    match wanted {
        Type::Reference(reference) if reference.mutability.is_some() => {
            return Err(Error::new_spanned(
                wanted,
                "several may hold a fixture's value: write `&T`, or `mut name: T` for a clone of it",
            ));
        }
        Type::Reference(reference) if reference.lifetime.is_some() => {
            return Err(Error::new_spanned(
                wanted,
                "a fixture's value lives as long as what asks for it: write `&T` without a lifetime",
            ));
        }
        Type::ImplTrait(_) => {
            return Err(Error::new_spanned(
                wanted,
                "write the type of the fixture's value: `&T`, or `T` for a clone of it",
            ));
        }
        _ => {}
    }
    Ok(Parameter {
        name,
        alias: format_ident!(
            "__wasmtest_{}_needs_{}",
            function.unraw(),
            name.unraw(),
            span = name.span()
        ),
        wanted,
        held: format_ident!("__wasmtest_held_{number}", span = Span::mixed_site()),
        argument: format_ident!("__wasmtest_argument_{number}", span = Span::mixed_site()),
    })
}
