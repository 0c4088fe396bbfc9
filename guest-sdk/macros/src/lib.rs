//! The attributes behind `#[wasmtest::test]`, suites, hooks and fixtures; see the crate `wasmtest-sdk`.

#![forbid(unsafe_code)]

mod above;
mod arguments;
mod borrowed;
mod cases;
mod expand;
mod fixture;
mod hook;
mod mark;
mod parameters;
mod record;
mod sdk;
mod suite;

use proc_macro::TokenStream;

/// Marks a function as a test; the documentation is that of the SDK's first page.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = above::refuse(proc_macro::Span::call_site())
        .and_then(|()| expand::test(arguments.into(), item.clone().into()));
    or_error(expanded, || expand::left(item.into()))
}

/// Marks a module as a suite.
#[proc_macro_attribute]
pub fn suite(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = suite::suite(arguments.into(), item.clone().into());
    or_error(expanded, || suite::left(item.into()))
}

/// Marks a function as a suite's setup.
#[proc_macro_attribute]
pub fn setup(arguments: TokenStream, item: TokenStream) -> TokenStream {
    hook(hook::Role::Setup, arguments, item)
}

/// Marks a function as a suite's teardown.
#[proc_macro_attribute]
pub fn teardown(arguments: TokenStream, item: TokenStream) -> TokenStream {
    hook(hook::Role::Teardown, arguments, item)
}

/// Marks a function as run before each test of a suite.
#[proc_macro_attribute]
pub fn before(arguments: TokenStream, item: TokenStream) -> TokenStream {
    hook(hook::Role::Before, arguments, item)
}

/// Marks a function as run after each test of a suite.
#[proc_macro_attribute]
pub fn after(arguments: TokenStream, item: TokenStream) -> TokenStream {
    hook(hook::Role::After, arguments, item)
}

fn hook(role: hook::Role, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = hook::hook(role, arguments.into(), item.clone().into());
    or_error(expanded, || borrowed::left(item.into()))
}

/// Marks a function as a fixture.
#[proc_macro_attribute]
pub fn fixture(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = fixture::fixture(arguments.into(), item.clone().into());
    or_error(expanded, || borrowed::left(item.into()))
}

/// Declares a fixture whose value comes from the host.
#[proc_macro]
pub fn host_fixture(tokens: TokenStream) -> TokenStream {
    or_error(fixture::host_fixture(tokens.into()), Default::default)
}

/// Looks fixtures up. rustc names it in the error that one of them is not there.
#[proc_macro]
pub fn no_fixture_of_this_name_is_in_scope_import_it_with_use_or_mark_a_function_with_fixture(
    tokens: TokenStream,
) -> TokenStream {
    or_error(parameters::look_up(tokens.into()), Default::default)
}

fn or_error(
    expanded: syn::Result<proc_macro2::TokenStream>,
    left: impl FnOnce() -> proc_macro2::TokenStream,
) -> TokenStream {
    let tokens = expanded.unwrap_or_else(|error| {
        let mut tokens = error.into_compile_error();
        tokens.extend(left());
        tokens
    });
    tokens.into()
}
