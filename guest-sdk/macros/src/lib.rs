//! The attribute behind `#[wasmtest::test]`; see the crate `wasmtest-sdk`.

#![forbid(unsafe_code)]

mod arguments;
mod expand;

use proc_macro::TokenStream;

/// Marks a function as a test; the documentation is that of the SDK's first page.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    match expand::test(arguments.into(), item.clone().into()) {
        Ok(expanded) => expanded.into(),
        Err(error) => {
            let mut out = TokenStream::from(error.into_compile_error());
            out.extend(TokenStream::from(expand::left(item.into())));
            out
        }
    }
}
