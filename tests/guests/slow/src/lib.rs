//! Tests that take their time.

#[cfg(test)]
mod tests {
    use std::thread::sleep;
    use std::time::Duration;

    #[test]
    fn a_sleeps_a_second() {
        sleep(Duration::from_secs(1));
    }

    #[test]
    fn b_sleeps_a_second() {
        sleep(Duration::from_secs(1));
    }

    #[test]
    fn c_sleeps_for_ever() {
        // for who has to know that it runs
        if let Ok(file) = std::env::var("BEGAN") {
            std::fs::write(file, "").expect("it is granted");
        }
        sleep(Duration::from_secs(3600));
    }

    #[test]
    fn d_passes() {}

    #[test]
    fn e_passes() {}

    #[test]
    fn f_passes() {}
}
