struct Parser;

impl Parser {
    #[wasmtest::test]
    fn parses() {}
}

fn main() {}
