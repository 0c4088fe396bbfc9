//! attack: attachments of a mebibyte without end
//! expect: errored "16 MiB"
//! exit: 1
//! output: 128

#[wasmtest::test(timeout = "1s")]
fn attack() {
    let content = vec![0u8; 1 << 20];
    loop {
        wasmtest::attach("content", "application/octet-stream", &content);
    }
}
