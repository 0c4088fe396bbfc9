//! The records and exports that a file of WASI 0.1 holds, as tokens: what they say is
//! fixed by the crate `wasmtest-section`.
//!
//! Everything is named by a path below the module that the attribute stands in.
//! A component has records too, of what needs what and what comes from the host: its
//! tests are libtest's, and the runner binds them to host fixtures by these.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::Path;

/// The condition that holds in core modules of WASI 0.1.
pub fn in_core_modules() -> TokenStream {
    quote!(all(target_os = "wasi", target_env = "p1"))
}

/// The condition that holds in components.
fn in_components() -> TokenStream {
    quote!(all(target_os = "wasi", not(target_env = "p1")))
}

/// A record that is being put together.
pub struct Record<'a> {
    sdk: &'a Path,
    kind: &'static str,
    name: &'a str,
    fields: Vec<TokenStream>,
}

/// Where a component holds a record of the same thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InComponents {
    /// Wherever it is built.
    Always,
    /// Only where tests are: where libtest finds it.
    InTests,
    /// It is of no use there.
    Never,
}

impl<'a> Record<'a> {
    /// A record of this kind for `name` in the module that the attribute stands in.
    pub fn of(sdk: &'a Path, kind: &'static str, name: &'a str) -> Self {
        Record {
            sdk,
            kind,
            name,
            fields: Vec::new(),
        }
    }

    /// Adds a text, which is an expression that is known at compile time.
    pub fn text(&mut self, tag: &str, text: impl ToTokens) {
        self.field("text", tag, text);
    }

    /// Adds a number, which is an expression that is known at compile time.
    pub fn number(&mut self, tag: &str, number: impl ToTokens) {
        self.field("number", tag, number);
    }

    /// Adds a field that says what it says by being there.
    pub fn flag(&mut self, tag: &str) {
        self.text(tag, "");
    }

    fn field(&mut self, form: &str, tag: &str, content: impl ToTokens) {
        let sdk = self.sdk;
        let [form, tag] = [form, tag].map(|name| Ident::new(name, Span::mixed_site()));
        self.fields.push(quote! {
            #sdk::__private::section::Field::#form(
                #sdk::__private::section::Tag::#tag, #content)
        });
    }

    /// The record and these exports, in a scope in which nothing is in their way.
    pub fn with(self, exports: &[TokenStream], in_components: InComponents) -> TokenStream {
        let core = in_core_modules();
        let components = self::in_components();
        let somewhere = match in_components {
            InComponents::Always => quote!(any(#core, #components)),
            InComponents::InTests => quote!(any(#core, all(test, #components))),
            InComponents::Never => core.clone(),
        };
        let Record {
            sdk,
            kind,
            name,
            fields,
        } = self;
        let kind = Ident::new(kind, Span::mixed_site());
        quote! {
            #[cfg(#somewhere)]
            const _: () = {
                // a function may have any name: nothing here may stand in its way
                const __WASMTEST_FIELDS: &[#sdk::__private::section::Field<'_>] = &[
                    #sdk::__private::section::Field::text(
                        #sdk::__private::section::Tag::Path,
                        ::core::concat!(::core::module_path!(), "::", #name),
                    ),
                    #sdk::__private::section::Field::text(
                        #sdk::__private::section::Tag::File,
                        ::core::file!(),
                    ),
                    #sdk::__private::section::Field::number(
                        #sdk::__private::section::Tag::Line,
                        ::core::line!() as u64,
                    ),
                    #(#fields,)*
                ];

                #[used]
                #[unsafe(link_section = "wasmtest")]
                static __WASMTEST_RECORD: [u8; #sdk::__private::section::record_len(
                    __WASMTEST_FIELDS,
                )] = #sdk::__private::section::record(
                    #sdk::__private::VERSION,
                    #sdk::__private::section::Kind::#kind,
                    __WASMTEST_FIELDS,
                );

                #(#[cfg(#core)] #exports)*
            };
        }
    }
}

/// An export `() -> i32` whose body is this expression.
pub fn runs(prefix: &str, name: &str, body: TokenStream) -> TokenStream {
    export(prefix, name, quote!(), body)
}

/// An export `(i32) -> i32` that calls this function.
pub fn takes(prefix: &str, name: &str, function: TokenStream) -> TokenStream {
    export(
        prefix,
        name,
        quote!(__wasmtest_length: i32),
        quote!(#function(__wasmtest_length)),
    )
}

fn export(prefix: &str, name: &str, inputs: TokenStream, body: TokenStream) -> TokenStream {
    quote! {
        const _: () = {
            #[unsafe(export_name = ::core::concat!(#prefix, ::core::module_path!(), "::", #name))]
            extern "C" fn __wasmtest_export(#inputs) -> i32 {
                #body
            }
        };
    }
}
