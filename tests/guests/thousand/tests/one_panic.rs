include!(concat!(env!("OUT_DIR"), "/one_panic.rs"));
