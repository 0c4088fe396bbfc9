//! What is said when a time limit has passed: here, and nowhere else.

use crate::event::Cause;
use crate::protocol::LimitOf;
use std::time::Duration;

/// What is said of a guest that was stopped at its limit, and of who set that.
pub fn passed(limit: Duration, of: Option<LimitOf>) -> Cause {
    let cause = Cause::new(format!("stopped at its limit of {}s", limit.as_secs_f64()));
    match of {
        None => cause,
        Some(LimitOf::Default) => cause.hint(
            "that is the limit where none is given: --process-timeout SECONDS, or WASMTEST_PROCESS_TIMEOUT, allows more",
        ),
        Some(LimitOf::Flag) => cause.hint("--process-timeout has set that limit"),
        Some(LimitOf::Variable) => cause
            .hint("WASMTEST_PROCESS_TIMEOUT, which stands for --process-timeout, has set that limit"),
        Some(LimitOf::Test) => cause.hint(
            "that limit is the test's own, by its mark `timeout`; --process-timeout can only lower it",
        ),
    }
}

/// What is said of a run that has taken as long as it may.
pub fn of_the_run(limit: Duration) -> String {
    format!(
        "the run had taken {}s, which is its limit (--run-timeout)",
        limit.as_secs_f64()
    )
}

/// What is said, as [`passed`] does, of a test that could not be stopped in its guest, so that its worker was given up.
pub fn passed_in_the_host(limit: Duration, of: LimitOf) -> Cause {
    let mut cause = passed(limit, Some(of));
    cause
        .message
        .push_str("; it was blocked in a host call, so its worker was given up");
    cause
}
