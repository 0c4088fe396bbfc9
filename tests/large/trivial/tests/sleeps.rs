include!(concat!(env!("OUT_DIR"), "/sleeps.rs"));
