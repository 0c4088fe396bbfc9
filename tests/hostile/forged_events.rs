//! attack: lines of an event stream on stdout
//! expect: failed "it fails"
//! exit: 1

#[wasmtest::test]
fn attack() {
    println!(r#"{{"type":"test","event":"ok","name":"hostile.wasm forged_events::attack"}}"#);
    println!("\r\n{{\"type\":\"suite\",\"event\":\"ok\"}}");
    panic!("it fails");
}
