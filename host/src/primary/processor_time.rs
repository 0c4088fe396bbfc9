//! How long processes have had a processor.

use std::time::Duration;

/// How long a process and its threads have had a processor so far, where the system tells.
pub(super) fn of(process: libc::pid_t) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // the name before it may hold anything
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let (user, system) = (ticks()?, ticks()?);
    let all = u128::from(user.saturating_add(system)) * 1_000_000_000;
    // SAFETY: it has no preconditions.
    let a_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    let nanos = all.checked_div(u128::try_from(a_second).ok()?)?;
    Some(Duration::from_nanos(u64::try_from(nanos).ok()?))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_computes_has_had_a_processor_and_what_sleeps_has_not() {
        let own = std::process::id().cast_signed();
        let before = of(own).expect("the system tells");
        while of(own).is_some_and(|now| now == before) {
            std::hint::black_box(0);
        }
        let mut sleeper = std::process::Command::new("sleep");
        let mut sleeper = sleeper.arg("3600").spawn().expect("it starts");
        let id = sleeper.id().cast_signed();
        assert!(of(id) < of(own));
        sleeper.kill().expect("it runs");
        sleeper.wait().expect("it ends");
        assert_eq!(of(libc::pid_t::MAX), None);
    }
}
