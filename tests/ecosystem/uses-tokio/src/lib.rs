//! tokio's tests: what fails in one lies below many functions of tokio's.

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    async fn answer() -> u32 {
        let (ask, asked) = oneshot::channel();
        ask.send(6 * 7).expect("it waits");
        asked.await.expect("it was asked")
    }

    #[tokio::test]
    async fn an_answer_comes() {
        assert_eq!(answer().await, 42);
    }

    #[tokio::test]
    #[ignore = "it fails, to show where"]
    async fn an_answer_is_wrong() {
        assert_eq!(answer().await, 54);
    }

    /// tokio itself panics here.
    #[tokio::test]
    #[ignore = "it fails, to show where"]
    async fn blocks_where_it_must_not() {
        let (_ask, asked) = oneshot::channel::<u32>();
        asked.blocking_recv().expect("never");
    }
}
