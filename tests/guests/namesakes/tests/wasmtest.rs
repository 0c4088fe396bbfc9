#[path = "../src/same.rs"]
mod same;
