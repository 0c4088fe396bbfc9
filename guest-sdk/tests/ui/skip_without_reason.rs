fn main() {
    wasmtest::skip!();
    wasmtest::skip_if!(true);
    wasmtest::skip_if!(true,);
    wasmtest::skip_if!();
}
