//! What the attribute turns a function into.
//!
//! For core modules of WASI 0.1: the function itself, an export that the runner
//! calls, and a record in the custom section `wasmtest`. Everywhere else: a
//! plain `#[test]` with the standard attributes as they were.

use crate::arguments::{Arguments, Executor, Standard, error};
use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{FnArg, ItemFn, Path, Result, ReturnType, parse_quote};

/// Expands `#[wasmtest::test(arguments)] item`.
pub fn test(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let arguments = Arguments::of(arguments)?;
    let function: ItemFn = syn::parse2(item)
        .map_err(|e| syn::Error::new(e.span(), "#[wasmtest::test] stands before a function"))?;
    let standard = Standard::of(function.attrs.clone())?;
    check_signature(&function, &arguments)?;
    check_marks(&function, &arguments, &standard)?;
    let body = body(&function, &arguments);
    let sdk = arguments.sdk.clone();
    let sdk = sdk.unwrap_or_else(|| parse_quote!(::wasmtest));
    let core = core(&function, &arguments, &standard, &sdk, &body);
    let elsewhere = elsewhere(&function, &arguments, &standard, &sdk, &body);
    Ok(quote! {
        #core
        #elsewhere
    })
}

/// What stays of the item after an error: the function, so that what calls it has no
/// error of its own, without the attributes that would be judged a second time.
pub fn left(item: TokenStream) -> TokenStream {
    let Ok(mut function) = syn::parse2::<ItemFn>(item.clone()) else {
        return item;
    };
    function.attrs.retain(|attribute| {
        let path = attribute.path();
        !path.is_ident("ignore") && !path.is_ident("should_panic")
    });
    function.into_token_stream()
}

fn check_signature(function: &ItemFn, arguments: &Arguments) -> Result<()> {
    let signature = &function.sig;
    match signature.inputs.first() {
        Some(FnArg::Receiver(receiver)) => {
            return error(
                receiver.self_token.span,
                "a test is a function, not a method: move it out of the `impl`",
            );
        }
        Some(FnArg::Typed(input)) => return error(input.span(), "a test takes no arguments"),
        None => {}
    }
    if !signature.generics.params.is_empty() {
        return error(
            signature.generics.span(),
            "a test has no generic parameters: nobody could choose them",
        );
    }
    if let Some(unsafety) = &signature.unsafety {
        return error(
            unsafety.span(),
            "a test is a safe function; put the unsafe part into a block",
        );
    }
    match (&signature.asyncness, &arguments.executor) {
        (Some(asyncness), None) => error(
            asyncness.span(),
            "an async test needs something that runs it: #[wasmtest::test(tokio)] with tokio's features \"rt\" and \"time\" among the dev-dependencies, or #[wasmtest::test(block_on = pollster::block_on)]",
        ),
        (None, Some(_)) => error(
            signature.fn_token.span(),
            "only an `async fn` needs an executor: remove it, or add `async`",
        ),
        _ => Ok(()),
    }
}

fn check_marks(function: &ItemFn, arguments: &Arguments, standard: &Standard) -> Result<()> {
    let returns = !matches!(&function.sig.output, ReturnType::Default);
    if standard.should_panic.is_some() && returns {
        return error(
            function.sig.output.span(),
            "a #[should_panic] test returns nothing, as beside #[test]",
        );
    }
    if standard.should_panic.is_some() && arguments.todo.is_some() {
        return error(
            function.sig.ident.span(),
            "`todo` expects a failure and #[should_panic] makes a panic a pass: choose one",
        );
    }
    Ok(())
}

/// The function's body, run by its executor if it has one.
fn body(function: &ItemFn, arguments: &Arguments) -> TokenStream {
    let block = &function.block;
    match &arguments.executor {
        None => quote!(#block),
        Some(Executor::Tokio(span)) => {
            // without `::`, so that the compiler's words for its absence include what
            // to add to the manifest
            let import = quote_spanned! {*span=>
                use tokio::runtime as __wasmtest_runtime;
            };
            let build = quote_spanned! {*span=>
                __wasmtest_runtime::Builder::new_current_thread()
                    .enable_time()
                    .build()
                    .expect("tokio's current-thread runtime starts")
            };
            quote! {{
                let __wasmtest_runtime = { #import #build };
                __wasmtest_runtime.block_on(async move #block)
            }}
        }
        Some(Executor::BlockOn(path)) => quote_spanned! {path.span()=> {
            #path(async move #block)
        }},
    }
}

/// What the function returns, for the errors that point at it.
fn returned(output: &ReturnType) -> TokenStream {
    match output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, returned) => quote!(#returned),
    }
}

/// The function, its export and its record, for core modules of WASI 0.1.
fn core(
    function: &ItemFn,
    arguments: &Arguments,
    standard: &Standard,
    sdk: &Path,
    body: &TokenStream,
) -> TokenStream {
    let (others, visibility, output) = (&standard.others, &function.vis, &function.sig.output);
    let name = &function.sig.ident;
    let text = name.to_string();
    let returned = returned(output);
    let mut fields = Vec::new();
    let mut add_text = |tag: &str, value: &str| {
        let tag = proc_macro2::Ident::new(tag, proc_macro2::Span::mixed_site());
        fields.push(quote! {
            #sdk::__private::section::Field::text(
                #sdk::__private::section::Tag::#tag, #value)
        });
    };
    if let Some(reason) = &standard.ignored {
        add_text("Ignored", reason);
    }
    if let Some(expected) = &standard.should_panic {
        add_text("ShouldPanic", expected);
    }
    if let Some(reason) = &arguments.todo {
        add_text("Todo", reason);
    }
    for tag in &arguments.tags {
        add_text("Label", tag);
    }
    if !standard.description.is_empty() {
        add_text("Description", &standard.description);
    }
    if let Some(timeout) = arguments.timeout {
        fields.push(quote! {
            #sdk::__private::section::Field::number(
                #sdk::__private::section::Tag::Timeout, #timeout)
        });
    }
    if let Some(bytes) = arguments.max_memory {
        fields.push(quote! {
            #sdk::__private::section::Field::number(
                #sdk::__private::section::Tag::MaxMemory, #bytes)
        });
    }
    quote! {
        #[cfg(all(target_os = "wasi", target_env = "p1"))]
        #(#others)*
        #visibility fn #name() #output #body

        #[cfg(all(target_os = "wasi", target_env = "p1"))]
        const _: () = {
            // a test may have any name: nothing here may stand in its way
            const __WASMTEST_FIELDS: &[#sdk::__private::section::Field<'_>] = &[
                #sdk::__private::section::Field::text(
                    #sdk::__private::section::Tag::Path,
                    ::core::concat!(::core::module_path!(), "::", #text),
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
                #sdk::__private::section::Kind::Test,
                __WASMTEST_FIELDS,
            );

            #[unsafe(export_name = ::core::concat!("wasmtest:", ::core::module_path!(), "::", #text))]
            extern "C" fn __wasmtest_run() -> i32 {
                #sdk::__private::run::<#returned>(#name)
            }
        };
    }
}

/// The plain `#[test]`, for everything else.
fn elsewhere(
    function: &ItemFn,
    arguments: &Arguments,
    standard: &Standard,
    sdk: &Path,
    body: &TokenStream,
) -> TokenStream {
    let (others, visibility) = (&standard.others, &function.vis);
    let (name, output) = (&function.sig.ident, &function.sig.output);
    let (text, returned) = (name.to_string(), returned(output));
    let of_tests = &standard.of_tests;
    let skipped = match &standard.should_panic {
        None => quote!(#sdk::__private::WhenSkipped::Return),
        Some(expected) => quote!(#sdk::__private::WhenSkipped::Panic(#expected)),
    };
    // a test that is expected to fail says so by not being run
    let todo = arguments
        .todo
        .as_ref()
        .filter(|_| standard.ignored.is_none());
    let todo = todo.map(|reason| {
        let reason = match reason.is_empty() {
            true => "todo".to_owned(),
            false => format!("todo: {reason}"),
        };
        quote!(#[ignore = #reason])
    });
    quote! {
        #[cfg(not(all(target_os = "wasi", target_env = "p1")))]
        #[::core::prelude::v1::test]
        #(#of_tests)*
        #todo
        #(#others)*
        #visibility fn #name() #output {
            #sdk::__private::run_as_test::<#returned>(
                ::core::concat!(::core::module_path!(), "::", #text),
                #skipped,
                || #output #body,
            )
        }
    }
}
