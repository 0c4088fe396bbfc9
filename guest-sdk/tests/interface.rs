//! The interface in `wit/`: it is valid, and its functions have the signatures
//! in core modules that the host defines them with; and `src/bindings.rs` is what the
//! generator makes of it (`BINDINGS=overwrite cargo test --test interface` writes it).

use wit_bindgen_core::wit_parser::abi::{AbiVariant, WasmType};
use wit_bindgen_core::wit_parser::{Resolve, WorldItem};
use wit_bindgen_core::{Files, WorldGenerator as _};

#[test]
fn the_interface_is_valid_and_is_what_the_host_offers() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit");
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(folder).expect("it is valid WIT");
    let name = resolve.packages[package].name.to_string();
    assert_eq!(name, "wasmtest:test@0.1.0");
    let world = resolve
        .select_world(&[package], Some("guest"))
        .expect("it is there");
    let imports: Vec<_> = resolve.worlds[world].imports.values().collect();
    let [WorldItem::Interface { id, .. }] = imports.as_slice() else {
        panic!("one interface, not {imports:?}");
    };
    let interface = &resolve.interfaces[*id];
    assert_eq!(interface.name.as_deref(), Some("host"));
    assert!(interface.docs.contents.is_some());
    let functions: Vec<(&str, Vec<WasmType>, Vec<WasmType>)> = interface
        .functions
        .iter()
        .map(|(name, function)| {
            assert!(function.docs.contents.is_some(), "{name} is documented");
            let signature = resolve.wasm_signature(AbiVariant::GuestImport, function);
            (name.as_str(), signature.params, signature.results)
        })
        .collect();
    use WasmType::{I32, Length, Pointer};
    let text = || vec![Pointer, Length];
    assert_eq!(
        functions,
        [
            ("test-id", vec![Pointer], vec![]),
            ("attempt", vec![], vec![I32]),
            ("skip", text(), vec![]),
            ("log", text(), vec![]),
            ("attach", [text(), text(), text()].concat(), vec![]),
        ]
    );
}

#[test]
fn the_bindings_are_what_the_generator_makes_of_the_interface() {
    let mut resolve = Resolve::default();
    let (package, _) = resolve
        .push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit"))
        .expect("it is valid WIT");
    let world = resolve
        .select_world(&[package], Some("guest"))
        .expect("it is there");
    let options = wit_bindgen_rust::Opts {
        format: true,
        ..Default::default()
    };
    let mut files = Files::default();
    options
        .build()
        .generate(&mut resolve, world, &mut files)
        .expect("generated");
    let (_, generated) = files.iter().next().expect("one file");
    let generated = str::from_utf8(generated).expect("it is text");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bindings.rs");
    if std::env::var_os("BINDINGS").is_some_and(|how| how == "overwrite") {
        std::fs::write(path, generated).expect("written");
    }
    let kept = std::fs::read_to_string(path).expect("it is there");
    assert!(
        kept == generated,
        "src/bindings.rs is not made of wit/: BINDINGS=overwrite writes it anew"
    );
}
