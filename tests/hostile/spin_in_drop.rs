//! attack: a loop without end while it unwinds from a panic that aborts
//! expect: failed "it begins"
//! exit: 1

struct Spins;

impl Drop for Spins {
    fn drop(&mut self) {
        loop {
            std::hint::spin_loop();
        }
    }
}

#[wasmtest::test(timeout = "1s")]
fn attack() {
    let _spins = Spins;
    panic!("it begins");
}
