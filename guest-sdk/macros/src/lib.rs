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
            // the function stays, so that what calls it has no error of its own
            let mut out = TokenStream::from(error.into_compile_error());
            out.extend(item);
            out
        }
    }
}
