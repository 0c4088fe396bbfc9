//! rayon, where there are no threads.

#[cfg(test)]
mod tests {
    use rayon::ThreadPoolBuilder;
    use rayon::prelude::*;

    #[test]
    fn the_global_pool_works_on_the_calling_thread() {
        let sum: u64 = (0..100_u64).into_par_iter().sum();
        assert_eq!(sum, 4950);
    }

    #[test]
    fn so_does_a_pool_that_is_told_to() {
        let builder = ThreadPoolBuilder::new().num_threads(1).use_current_thread();
        let pool = builder.build().unwrap();
        assert_eq!(pool.install(|| (0..4_u64).into_par_iter().sum::<u64>()), 6);
    }

    #[test]
    #[ignore = "it fails, to show why"]
    fn another_pool_wants_threads() {
        ThreadPoolBuilder::new().num_threads(4).build().unwrap();
    }
}
