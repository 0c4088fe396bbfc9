include!(concat!(env!("OUT_DIR"), "/thousand.rs"));
