include!(concat!(env!("OUT_DIR"), "/ten_thousand.rs"));
