//! A test binary that dies before its first test, in a constructor.

#[cfg(test)]
mod tests {
    extern "C" fn constructor() {
        eprintln!("the constructor was here");
        panic!("before any test");
    }

    #[used]
    #[unsafe(link_section = ".init_array")]
    static CONSTRUCTOR: extern "C" fn() = constructor;

    #[test]
    fn never_runs() {}
}
