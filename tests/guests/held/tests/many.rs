//! Many small tests, alone, begun from a state, in units and with shared fixtures, for the fault
//! campaign.

/// Takes about a millisecond, so that something can happen meanwhile.
fn work() {
    for i in 0..20_000_u32 {
        std::hint::black_box(i);
    }
}

include!(concat!(env!("OUT_DIR"), "/many.rs"));
