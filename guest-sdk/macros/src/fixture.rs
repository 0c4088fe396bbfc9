//! What `#[wasmtest::fixture]` makes of a function, and `host_fixture!` of a name.
//!
//! The function stays. Beside it stands an item of the same name among the types, by
//! which those who ask for the fixture find its path, its value and its depth: `use`
//! imports both. For core modules of WASI 0.1 there are a record and exports besides.

use crate::arguments::{Executor, Standard, error};
use crate::borrowed;
use crate::expand;
use crate::mark::{Holder, Mark, Marked};
use crate::parameters::{Arguments, Parameters};
use crate::record::{InComponents, Record, runs, takes};
use crate::sdk;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, GenericArgument, ItemFn, LitStr, Path, PathArguments, Result, ReturnType,
    Token, Type, Visibility,
};

/// Expands `#[wasmtest::fixture(arguments)] item`.
pub fn fixture(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let marked = Marked::of(arguments, Holder::Fixture)?;
    let function = function(item, "#[wasmtest::fixture]", &marked.executor)?;
    let value = match Yielded::of(&function.sig.output)? {
        Yielded { value: None, .. } => {
            return error(
                function.sig.ident.span(),
                "a fixture returns its value: write `-> Type`, or make it a hook, such as #[wasmtest::before]",
            );
        }
        value => value,
    };
    let sdk = sdk::path(marked.sdk);
    let of_one_test = marked.mark.is_none() || marked.fresh.is_some();
    let name = function.sig.ident.to_string();
    let maker = Maker {
        sdk: &sdk,
        function: &function,
        marker: &function.sig.ident,
        parameters: Parameters::of(&sdk, &function.sig.ident, function.sig.inputs.iter())?,
        value,
        shared: marked.mark == Some(Mark::Shared),
        of_one_test,
        what: "this fixture",
        teardown: marked.teardown.as_ref(),
    };
    maker.check()?;
    let mut record = Record::of(&sdk, "Fixture", &name);
    if let Some(mark) = marked.mark {
        record.text("Distribution", mark.text());
    }
    let mut exports = maker.describe(&mut record);
    if maker.teardown.is_some() {
        record.flag("TearsDown");
        let marker = maker.marker;
        let body = quote!(#sdk::__private::instance::tear_down::<#marker>());
        exports.push(runs("wasmtest-teardown:", &name, body));
    }
    if marked.fresh.is_some() {
        record.flag("Fresh");
    }
    let standard = Standard::of(function.attrs.clone())?;
    if !standard.description.is_empty() {
        record.text("Description", standard.description);
    }
    let record = record.with(&exports, InComponents::Always);
    let marker = marker(&function.vis, &function.sig.ident);
    let looked_up = maker.parameters.looked_up();
    let implementation = maker.implementation();
    let function = kept(&function, &marked.executor);
    Ok(quote! {
        #function
        #marker
        #looked_up
        #implementation
        #record
    })
}

/// The function that an attribute stands before, if it can be called as that asks.
pub fn function(item: TokenStream, attribute: &str, executor: &Option<Executor>) -> Result<ItemFn> {
    let function: ItemFn = syn::parse2(item)
        .map_err(|e| Error::new(e.span(), format!("{attribute} stands before a function")))?;
    let signature = &function.sig;
    if !signature.generics.params.is_empty() {
        return error(
            signature.generics.span(),
            "this function has no generic parameters: nobody could choose them",
        );
    }
    if let Some(unsafety) = &signature.unsafety {
        return error(
            unsafety.span(),
            "this is a safe function; put the unsafe part into a block",
        );
    }
    match (&signature.asyncness, executor) {
        (Some(asyncness), None) => Err(Error::new(
            asyncness.span(),
            format!(
                "an async function needs something that runs it: `tokio` or `block_on = path` in the brackets of {attribute}"
            ),
        )),
        (None, Some(_)) => error(
            signature.fn_token.span(),
            "only an `async fn` needs an executor: remove it, or add `async`",
        ),
        _ => Ok(function),
    }
}

/// The function as it stays: with a body that is run by its executor.
pub fn kept(function: &ItemFn, executor: &Option<Executor>) -> TokenStream {
    let body = expand::body(function, executor);
    let ItemFn {
        attrs, vis, sig, ..
    } = function;
    let mut signature = sig.clone();
    signature.asyncness = None;
    quote! {
        #(#attrs)*
        #vis #signature #body
    }
}

/// The item among the types that stands for a fixture.
pub fn marker(visibility: &Visibility, name: &Ident) -> TokenStream {
    // it has no values, and so nothing of its name among them
    quote! {
        #[doc(hidden)]
        #[allow(non_camel_case_types, dead_code)]
        #visibility enum #name {}
    }
}

/// What a function gives.
pub struct Yielded<'a> {
    /// The type of its value, unless there is none.
    pub value: Option<&'a Type>,
    /// It comes in a `Result`.
    pub fallible: bool,
}

impl<'a> Yielded<'a> {
    /// Reads it off the function's type, in which a `Result` is what is called so.
    pub fn of(output: &'a ReturnType) -> Result<Self> {
        let ReturnType::Type(_, returned) = output else {
            return Ok(Yielded {
                value: None,
                fallible: false,
            });
        };
        let inner = in_result(returned)?;
        let value = inner.unwrap_or(returned);
        if let Type::ImplTrait(_) | Type::Infer(_) = value {
            return Err(Error::new_spanned(value, "write the type of the value"));
        }
        borrowed::refuse(value)?;
        let nothing = matches!(value, Type::Tuple(tuple) if tuple.elems.is_empty());
        Ok(Yielded {
            value: (!nothing).then_some(value),
            fallible: inner.is_some(),
        })
    }
}

fn in_result(returned: &Type) -> Result<Option<&Type>> {
    let Type::Path(path) = returned else {
        return Ok(None);
    };
    let Some(last) = path.path.segments.last().filter(|s| s.ident == "Result") else {
        return Ok(None);
    };
    if let PathArguments::AngleBracketed(arguments) = &last.arguments
        && let Some(GenericArgument::Type(value)) = arguments.args.first()
    {
        return Ok(Some(value));
    }
    Err(Error::new_spanned(
        returned,
        "write the type of the value: `Result<T, E>`",
    ))
}

/// A function that makes a value: a fixture or a setup.
pub struct Maker<'a> {
    pub sdk: &'a Path,
    pub function: &'a ItemFn,
    /// The item among the types that stands for it.
    pub marker: &'a Ident,
    pub parameters: Parameters<'a>,
    pub value: Yielded<'a>,
    pub shared: bool,
    /// Whether each test that asks for it has one of its own.
    pub of_one_test: bool,
    /// What it is, for people: `this fixture`.
    pub what: &'static str,
    pub teardown: Option<&'a Path>,
}

impl Maker<'_> {
    /// Adds what the record says of the value, and gives the exports.
    pub fn describe(&self, record: &mut Record<'_>) -> Vec<TokenStream> {
        let (sdk, marker) = (self.sdk, self.marker);
        let name = self.function.sig.ident.to_string();
        for path in self.parameters.paths() {
            record.text("Needs", path);
        }
        let instance = quote!(#sdk::__private::instance);
        let dropped = self.value.value.map(|value| {
            record.number("Drops", quote!(::core::mem::needs_drop::<#value>() as u64));
            let body = quote!(#instance::drop_value::<#marker>());
            runs("wasmtest-drop:", &name, body)
        });
        let mut exports = if self.shared && self.value.value.is_some() {
            record.flag("Travels");
            let body = quote!(#instance::make_and_send::<#marker>());
            let receive = quote!(#instance::receive::<#marker>);
            vec![
                runs("wasmtest:", &name, body),
                takes("wasmtest-receive:", &name, receive),
            ]
        } else {
            let body = quote!(#instance::make::<#marker>());
            vec![runs("wasmtest:", &name, body)]
        };
        exports.extend(dropped);
        exports
    }

    /// Says what is wrong with a value that is to travel, as far as can be seen here.
    pub fn check(&self) -> Result<()> {
        match self.value.value {
            Some(borrowed @ Type::Reference(_)) if self.shared => Err(Error::new_spanned(
                borrowed,
                "a shared value goes from one instance to others, with nothing borrowed in it: write `String` for `&str`",
            )),
            _ => Ok(()),
        }
    }

    /// What the marker says of it, and what it may need.
    pub fn implementation(&self) -> TokenStream {
        let Maker {
            sdk,
            function,
            marker,
            value,
            shared,
            of_one_test,
            ..
        } = self;
        let (name, text) = (&function.sig.ident, function.sig.ident.to_string());
        let depth = self.parameters.depth();
        let at_name = Span::call_site().located_at(name.span());
        // a circle is told of with the names of those in it
        let depth = quote_spanned! {at_name=>
            const DEPTH: usize = 1 + #depth;
        };
        let Arguments { got, arguments } = self.parameters.arguments();
        let value_type = value.value.map_or(quote!(()), ToTokens::to_token_stream);
        let here = Span::call_site().located_at(value_type.span());
        let get = match shared {
            true => quote_spanned!(here=> #sdk::__private::shared::<Self>()),
            false => quote_spanned!(here=> #sdk::__private::own::<Self>()),
        };
        let make = match value.fallible {
            true => quote_spanned!(here=> #sdk::__private::fallible(#name(#(#arguments),*))),
            false => quote!(::core::result::Result::Ok(#name(#(#arguments),*))),
        };
        let tear_down = self.teardown.map(|path| {
            let call = quote_spanned!(path.span()=> #path(__wasmtest_value));
            quote! {
                fn tear_down(
                    __wasmtest_value: &Self::Value,
                ) -> ::core::result::Result<(), ::std::string::String> {
                    #sdk::__private::Done::done(#call)
                }
            }
        });
        let what = self.what;
        let checks = match (shared, of_one_test) {
            (true, _) => self.parameters.all_shared(what),
            (false, false) => self.parameters.none_of_one_test(what),
            (false, true) => TokenStream::new(),
        };
        let ahead = match of_one_test {
            true => self.parameters.ahead(),
            false => quote!(::core::mem::drop(Self::get());),
        };
        quote! {
            impl #sdk::__private::Fixture for #marker {
                type Value = #value_type;
                const PATH: &'static str = ::core::concat!(::core::module_path!(), "::", #text);
                const SHARED: bool = #shared;
                const OF_ONE_TEST: bool = #of_one_test;
                #depth

                fn get() -> ::std::rc::Rc<Self::Value> {
                    #get
                }

                fn ahead() {
                    #ahead
                }
            }

            impl #sdk::__private::Make for #marker {
                fn make() -> ::core::result::Result<Self::Value, ::std::string::String> {
                    #got
                    #make
                }

                #tear_down
            }

            // computed here, so that a circle is an error even if nobody asks
            const _: usize = <#marker as #sdk::__private::Fixture>::DEPTH;
            #checks
        }
    }
}

/// `crate; #[attributes] pub name: Type = "name in wasmtest.toml"`.
struct HostFixture {
    sdk: Path,
    attributes: Vec<Attribute>,
    visibility: Visibility,
    name: Ident,
    value: Type,
    of_host: Option<LitStr>,
}

impl Parse for HostFixture {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let sdk = input.parse()?;
        input.parse::<Token![;]>()?;
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let name = input.parse()?;
        input.parse::<Token![:]>()?;
        let value = input.parse()?;
        borrowed::refuse(&value)?;
        let of_host = match input.parse::<Option<Token![=]>>()? {
            Some(_) => Some(input.parse()?),
            None => None,
        };
        if !input.is_empty() {
            return Err(input.error(
                "write host_fixture!(name: Type), or host_fixture!(name: Type = \"its name in wasmtest.toml\")",
            ));
        }
        Ok(HostFixture {
            sdk,
            attributes,
            visibility,
            name,
            value,
            of_host,
        })
    }
}

/// Expands `host_fixture!(...)`, which puts the SDK's path first.
pub fn host_fixture(tokens: TokenStream) -> Result<TokenStream> {
    let HostFixture {
        sdk,
        attributes,
        visibility,
        name,
        value,
        of_host,
    } = syn::parse2(tokens)?;
    let text = name.to_string();
    let of_host = of_host.map_or_else(|| text.clone(), |name| name.value());
    let mut record = Record::of(&sdk, "Fixture", &text);
    record.text("Distribution", Mark::Shared.text());
    record.flag("Travels");
    record.text("Host", of_host.as_str());
    let receive = quote!(#sdk::__private::instance::receive::<#name>);
    let export = takes("wasmtest-receive:", &text, receive);
    let record = record.with(&[export], InComponents::Always);
    let marker = marker(&visibility, &name);
    let here = Span::call_site().located_at(value.span());
    let get = quote_spanned!(here=> #sdk::__private::from_host::<Self>(#of_host));
    Ok(quote! {
        #(#attributes)*
        #marker

        impl #sdk::__private::Fixture for #name {
            type Value = #value;
            const PATH: &'static str = ::core::concat!(::core::module_path!(), "::", #text);
            const SHARED: bool = true;
            const OF_ONE_TEST: bool = false;
            const DEPTH: usize = 1;

            fn get() -> ::std::rc::Rc<Self::Value> {
                #get
            }

            fn ahead() {
                ::core::mem::drop(Self::get());
            }
        }

        #record
    })
}
