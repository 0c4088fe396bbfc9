#[wasmtest::fixture]
fn text() -> &str {
    "x"
}

#[wasmtest::fixture]
fn of_another(text: &str) -> Result<&[u8], String> {
    Ok(text.as_bytes())
}

#[wasmtest::fixture]
fn inside() -> Option<(u8, &std::vec::Vec<u8>)> {
    None
}

#[wasmtest::fixture(shared)]
fn hidden() -> std::borrow::Cow<'_, str> {
    "x".into()
}

#[wasmtest::setup]
fn begin() -> &'_ std::path::Path {
    "x".as_ref()
}

wasmtest::host_fixture!(server: &str);

// these do not
#[wasmtest::fixture]
fn for_ever() -> &'static str {
    "x"
}

#[wasmtest::fixture]
fn function() -> Box<dyn Fn(&str) -> &str> {
    Box::new(|text| text)
}

fn main() {}
