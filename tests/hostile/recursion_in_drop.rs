//! attack: a list of a million boxes is dropped, each within the one before
//! expect: errored "stack"
//! exit: 1

struct Link(Option<Box<Link>>);

impl Drop for Link {
    #[inline(never)]
    fn drop(&mut self) {
        std::hint::black_box(&self.0);
    }
}

#[wasmtest::test]
fn attack() {
    let mut list = Link(None);
    for _ in 0..1_000_000 {
        list = Link(Some(Box::new(list)));
    }
    drop(list);
}
