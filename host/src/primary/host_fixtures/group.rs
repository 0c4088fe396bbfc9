//! The process group of a host fixture, as another process has told it: the one that a signal may go to.
//!
//! `kill` takes 0 and -1 for many processes, so a number that comes from elsewhere is believed
//! only of a group that the guardian of that fixture has made.

/// A group that a guardian has made.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FixtureGroup(libc::pid_t);

/// A number that no guardian can have meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoGroup;

impl FixtureGroup {
    /// The group of which a guardian says that it has made it; `None` if that has ended by now.
    ///
    /// # Errors
    /// If the number is that of another group.
    pub(super) fn told(
        number: i32,
        guardian: libc::pid_t,
    ) -> Result<Option<FixtureGroup>, NoGroup> {
        // SAFETY: it only asks.
        let own = unsafe { libc::getpgrp() };
        if number <= 1 || number == own || number == guardian {
            return Err(NoGroup);
        }
        // SAFETY: it only asks.
        let group = unsafe { libc::getpgid(number) };
        if group == -1 {
            return Ok(None);
        }
        match group == number && parent_of(number).is_none_or(|parent| parent == guardian) {
            true => Ok(Some(FixtureGroup(number))),
            false => Err(NoGroup),
        }
    }

    /// Ends all of it, at once.
    pub(super) fn kill(self) {
        // SAFETY: kill has no preconditions; the group was made by a guardian of this run's.
        unsafe { libc::kill(-self.0, libc::SIGKILL) };
    }
}

/// The parent of a process, where the system tells.
fn parent_of(process: libc::pid_t) -> Option<libc::pid_t> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // the name before it may hold anything
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};

    #[test]
    fn a_number_is_believed_only_of_a_group_that_its_guardian_has_made() {
        let this = i32::try_from(std::process::id()).expect("it is one");
        // SAFETY: it only asks.
        let own = unsafe { libc::getpgrp() };
        for number in [0, 1, -1, i32::MIN, own, this] {
            assert_eq!(FixtureGroup::told(number, this), Err(NoGroup), "{number}");
        }
        let child = |leader: bool| {
            let mut command = Command::new("cat");
            command.stdin(Stdio::piped());
            if leader {
                command.process_group(0);
            }
            command.spawn().expect("it starts")
        };
        let (mut leader, mut member) = (child(true), child(false));
        let number = |child: &std::process::Child| i32::try_from(child.id()).expect("it is one");
        let of = FixtureGroup::told(number(&leader), this);
        assert_eq!(of, Ok(Some(FixtureGroup(number(&leader)))));
        assert_eq!(FixtureGroup::told(number(&member), this), Err(NoGroup));
        if cfg!(target_os = "linux") {
            // somebody else's child
            assert_eq!(
                FixtureGroup::told(number(&leader), number(&member)),
                Err(NoGroup)
            );
        }
        if let Ok(Some(group)) = of {
            group.kill();
        }
        leader.wait().expect("it is waited for");
        assert_eq!(FixtureGroup::told(number(&leader), this), Ok(None));
        drop(member.stdin.take());
        member.wait().expect("it is waited for");
    }
}
