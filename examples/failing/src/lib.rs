//! Tests that fail, each in its own way: to look at what is said of them.

#[cfg(test)]
#[allow(unconditional_recursion)]
mod tests {
    use std::hint::black_box;

    #[test]
    fn passes_beside_all_of_this() {}

    #[test]
    fn compares() {
        println!("parsing \"\"");
        assert_eq!(black_box(1) + 2, 4, "arithmetic is hard");
    }

    #[test]
    fn returns_an_error() -> Result<(), std::num::ParseIntError> {
        "seven".parse::<u32>()?;
        Ok(())
    }

    #[test]
    fn leaves_early() {
        std::process::exit(0);
    }

    fn descend(depth: u64) -> u64 {
        let room = black_box([depth; 32]);
        room[0] + descend(depth + 1)
    }

    #[test]
    fn goes_too_deep() {
        descend(0);
    }

    #[test]
    fn reads_beyond_its_memory() {
        let nowhere = black_box(0x7000_0000 as *const u8);
        unsafe { nowhere.read_volatile() };
    }

    #[test]
    fn opens_a_file_that_was_not_granted() {
        let text = std::fs::read_to_string("tests/data/a.txt").expect("the test data is there");
        assert!(text.is_empty());
    }

    #[test]
    #[should_panic]
    fn should_panic() {
        panic!("as it should");
    }
}
