//! What the attribute turns a function into.
//!
//! For core modules of WASI 0.1: the function itself, an export that the runner
//! calls, and a record in the custom section `wasmtest`. Everywhere else: a
//! plain `#[test]` with the standard attributes as they were. A test with cases is
//! each of this once for each case.

use crate::arguments::{Arguments, Executor, Standard, error};
use crate::cases::Case;
use crate::parameters::{self, Parameters};
use crate::record::{InComponents, Record, in_core_modules, runs};
use crate::sdk;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{FnArg, ItemFn, Path, Result, ReturnType};

/// Expands `#[wasmtest::test(arguments)] item`.
pub fn test(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let arguments = Arguments::of(arguments)?;
    let function: ItemFn = syn::parse2(item)
        .map_err(|e| syn::Error::new(e.span(), "#[wasmtest::test] stands before a function"))?;
    let standard = Standard::of(function.attrs.clone())?;
    check_signature(&function, &arguments)?;
    check_marks(&function, &arguments, &standard)?;
    let sdk = sdk::path(arguments.sdk.clone());
    let given = arguments.cases.as_ref().map_or(0, |cases| cases.values);
    let test = Test {
        body: body(&function, &arguments.executor),
        fixtures: Parameters::of(
            &sdk,
            &function.sig.ident,
            function.sig.inputs.iter().skip(given),
        )?,
        function: &function,
        arguments: &arguments,
        standard: &standard,
        sdk: &sdk,
    };
    let looked_up = test.looked_up();
    let core = test.core();
    let elsewhere = match &arguments.cases {
        None => test.elsewhere(),
        Some(cases) => test.cases_elsewhere(&cases.all),
    };
    Ok(quote! {
        #looked_up
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
        let of_test = path.segments.last().is_some_and(|s| s.ident == "test");
        !path.is_ident("ignore") && !path.is_ident("should_panic") && !of_test
    });
    function.into_token_stream()
}

fn check_signature(function: &ItemFn, arguments: &Arguments) -> Result<()> {
    let signature = &function.sig;
    if let Some(FnArg::Receiver(receiver)) = signature.inputs.first() {
        return error(
            receiver.self_token.span,
            "a test is a function, not a method: move it out of the `impl`",
        );
    }
    if let Some(cases) = &arguments.cases {
        cases.check(signature)?;
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
    if let Some(abi) = &signature.abi {
        return error(
            abi.span(),
            "a test is a plain `fn`, without an ABI of its own",
        );
    }
    if let ReturnType::Type(_, ty) = &signature.output
        && let syn::Type::ImplTrait(ty) = &**ty
    {
        return error(
            ty.span(),
            "a test returns nothing or a `Result<(), E>`: name the type",
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
pub fn body(function: &ItemFn, executor: &Option<Executor>) -> TokenStream {
    let block = &function.block;
    match executor {
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

/// A test, with what its expansions need.
struct Test<'a> {
    function: &'a ItemFn,
    arguments: &'a Arguments,
    standard: &'a Standard,
    sdk: &'a Path,
    /// The parameters that no case gives a value.
    fixtures: Parameters<'a>,
    /// The function's body, run by its executor.
    body: TokenStream,
}

impl Test<'_> {
    /// Looks its fixtures up, where there is a test.
    fn looked_up(&self) -> Option<TokenStream> {
        let condition = in_core_modules();
        let items = (!self.fixtures.is_empty()).then(|| self.fixtures.looked_up())?;
        Some(quote!(#[cfg(any(test, #condition))] #items))
    }

    /// The function, its exports and its records, for core modules of WASI 0.1.
    fn core(&self) -> TokenStream {
        let name = self.function.sig.ident.to_string();
        let function = self.plain_function();
        let others = &self.standard.others;
        let condition = in_core_modules();
        let tests: Vec<_> = match &self.arguments.cases {
            None => vec![self.core_test(&name, None)],
            Some(cases) => {
                let numbered = cases.all.iter().enumerate();
                let tests = numbered.map(|(i, case)| {
                    self.core_test(&format!("{name}::{}", case.name), Some((i as u64, case)))
                });
                tests.collect()
            }
        };
        quote! {
            #[cfg(#condition)]
            #(#others)*
            #function

            #(#tests)*
        }
    }

    /// The record and the export of one test.
    fn core_test(&self, name: &str, case: Option<(u64, &Case)>) -> TokenStream {
        let (sdk, arguments, standard) = (self.sdk, self.arguments, self.standard);
        let mut record = Record::of(sdk, "Test", name);
        if let Some(reason) = &standard.ignored {
            record.text("Ignored", reason);
        }
        if let Some(expected) = &standard.should_panic {
            record.text("ShouldPanic", expected);
        }
        if let Some(reason) = &arguments.todo {
            record.text("Todo", reason);
        }
        for tag in &arguments.tags {
            record.text("Label", tag);
        }
        if !standard.description.is_empty() {
            record.text("Description", &standard.description);
        }
        if let Some(timeout) = arguments.timeout {
            record.number("Timeout", timeout);
        }
        if let Some(bytes) = arguments.max_memory {
            record.number("MaxMemory", bytes);
        }
        if let Some((number, _)) = case {
            record.number("Order", number);
        }
        for path in self.fixtures.paths() {
            record.text("Needs", path);
        }
        let returned = returned(&self.function.sig.output);
        let test = if case.is_none() && self.fixtures.is_empty() {
            self.function.sig.ident.to_token_stream()
        } else {
            let call = self.call(case.map(|(_, case)| case));
            quote!(|| #call)
        };
        let body = quote!(#sdk::__private::run::<#returned>(#test));
        record.with(&[runs("wasmtest:", name, body)], InComponents::InTests)
    }

    /// The function with its parameters, without its attributes.
    fn plain_function(&self) -> TokenStream {
        let ItemFn { vis, sig, .. } = self.function;
        let mut signature = sig.clone();
        signature.asyncness = None;
        let body = &self.body;
        quote!(#vis #signature #body)
    }

    /// A call of the function with a case's values and those of its fixtures.
    fn call(&self, case: Option<&Case>) -> TokenStream {
        let name = &self.function.sig.ident;
        let parameters::Arguments { got, arguments } = self.fixtures.arguments();
        let values = case.map_or(&[][..], |case| &case.values);
        quote!({ #got #name(#(#values,)* #(#arguments),*) })
    }

    /// The plain `#[test]`, for everything else.
    fn elsewhere(&self) -> TokenStream {
        let ItemFn { vis, sig, .. } = self.function;
        let (name, output) = (&sig.ident, &sig.output);
        let (of_test, others) = (self.attributes_of_test(), &self.standard.others);
        let body = if self.fixtures.is_empty() {
            self.body.clone()
        } else {
            let mut signature = sig.clone();
            signature.asyncness = None;
            let (body, call) = (&self.body, self.call(None));
            quote!({
                #signature #body
                #call
            })
        };
        let run = self.run_elsewhere(&name.to_string(), quote!(#output #body));
        let condition = in_core_modules();
        quote! {
            #[cfg(not(#condition))]
            #of_test
            #(#others)*
            #vis fn #name() #output {
                #run
            }
        }
    }

    /// The function, and a plain `#[test]` for each case in a module of its name.
    fn cases_elsewhere(&self, cases: &[Case]) -> TokenStream {
        let (name, output) = (&self.function.sig.ident, &self.function.sig.output);
        let (of_test, others) = (self.attributes_of_test(), &self.standard.others);
        let function = self.plain_function();
        let condition = in_core_modules();
        let names: Vec<_> = cases.iter().map(|case| &case.name).collect();
        // the values mean what they mean where they are written: outside of the module
        let of_case = format_ident!(
            "__wasmtest_case_of_{}",
            name.unraw(),
            span = Span::call_site()
        );
        let runs = cases.iter().map(|case| {
            let call = self.call(Some(case));
            self.run_elsewhere(&format!("{name}::{}", case.name), quote!(#output { #call }))
        });
        let numbers = 0..cases.len();
        let numbers_again = 0..cases.len();
        // libtest allows no type at all beside `#[should_panic]`
        let termination = match output {
            ReturnType::Default => quote!(),
            ReturnType::Type(..) => quote!(-> impl ::std::process::Termination),
        };
        quote! {
            #[cfg(all(test, not(#condition)))]
            #(#others)*
            #function

            #[cfg(all(test, not(#condition)))]
            fn #of_case(__wasmtest_case: usize) #output {
                match __wasmtest_case {
                    #(#numbers => #runs,)*
                    _ => ::core::unreachable!(),
                }
            }

            #[cfg(all(test, not(#condition)))]
            mod #name {
                #(
                    #of_test
                    fn #names() #termination {
                        super::#of_case(#numbers_again)
                    }
                )*
            }
        }
    }

    /// What makes a function libtest's.
    fn attributes_of_test(&self) -> TokenStream {
        let of_tests = &self.standard.of_tests;
        // a test that is expected to fail says so by not being run
        let todo = self.arguments.todo.as_ref();
        let todo = todo.filter(|_| self.standard.ignored.is_none());
        let todo = todo.map(|reason| {
            let reason = match reason.is_empty() {
                true => "todo".to_owned(),
                false => format!("todo: {reason}"),
            };
            quote!(#[ignore = #reason])
        });
        quote! {
            #[::core::prelude::v1::test]
            #(#of_tests)*
            #todo
        }
    }

    /// Runs what follows the `||` of a closure as the test of this name.
    fn run_elsewhere(&self, name: &str, test: TokenStream) -> TokenStream {
        let sdk = self.sdk;
        let returned = returned(&self.function.sig.output);
        let skipped = match &self.standard.should_panic {
            None => quote!(#sdk::__private::WhenSkipped::Return),
            Some(expected) => quote!(#sdk::__private::WhenSkipped::Panic(#expected)),
        };
        let needs = self.fixtures.needs();
        quote! {
            #sdk::__private::run_as_test::<#returned>(
                ::core::concat!(::core::module_path!(), "::", #name),
                #skipped,
                #needs,
                || #test,
            )
        }
    }
}
