include!(concat!(env!("OUT_DIR"), "/trivial.rs"));
