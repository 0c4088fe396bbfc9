struct Parser;

impl Parser {
    #[wasmtest::test]
    fn parses(&self) {}
}

fn main() {}
