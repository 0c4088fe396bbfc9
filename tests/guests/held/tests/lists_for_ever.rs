//! A test binary that does not come to its list: a constructor sleeps.

extern "C" fn constructor() {
    std::thread::sleep(std::time::Duration::from_secs(3600));
}

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = constructor;

#[test]
fn is_never_listed() {}
