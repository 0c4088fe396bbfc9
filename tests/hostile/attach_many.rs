//! attack: 10,000 attachments with names and media types of 1,000 bytes
//! expect: errored "16 MiB"
//! exit: 1
//! output: 16

#[wasmtest::test]
fn attack() {
    for n in 0..10_000 {
        let name = format!("{n}").repeat(200);
        wasmtest::attach(&name, "m".repeat(1000), "");
    }
}
