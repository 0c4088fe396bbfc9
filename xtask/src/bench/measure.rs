//! What whole commands take: wall clock, and the CPU of all their processes.

use anyhow::{Context as _, Result, bail};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What one command took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// From its start to its end, in seconds.
    pub wall: f64,
    /// CPU of it and of all that it has waited for, in seconds.
    pub cpu: f64,
    /// The most memory that one of these processes had, in bytes.
    pub memory: u64,
}

impl Cost {
    /// What both took, one after the other.
    pub fn add(&mut self, other: Cost) {
        self.wall += other.wall;
        self.cpu += other.cpu;
        self.memory = self.memory.max(other.memory);
    }
}

/// Runs a command that must succeed.
///
/// # Errors
/// If it cannot be started, or fails.
pub fn cost(command: &mut Command) -> Result<Cost> {
    let began = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{:?} cannot be started", command.get_program()))?;
    let process = libc::pid_t::try_from(child.id())?;
    let mut status = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: wait4 fills both, for which all-zero is a valid value; the process is this one's
    // child and was not waited for.
    let (ended, usage) = unsafe {
        let ended = libc::wait4(process, &raw mut status, 0, usage.as_mut_ptr());
        (ended, usage.assume_init())
    };
    let wall = began.elapsed().as_secs_f64();
    if ended != process {
        let _ = child.kill();
        bail!("{command:?} cannot be waited for");
    }
    if !libc::WIFEXITED(status) || libc::WEXITSTATUS(status) != 0 {
        bail!("{command:?} failed (status {status:#x})");
    }
    let time = |t: libc::timeval| {
        let seconds = u64::try_from(t.tv_sec).unwrap_or_default();
        Duration::from_secs(seconds).as_secs_f64() + t.tv_usec as f64 / 1e6
    };
    Ok(Cost {
        wall,
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        memory: u64::try_from(usage.ru_maxrss).unwrap_or_default() * 1024,
    })
}

/// The medians of several commands, run in turns so that a busy moment hits all of them.
///
/// # Errors
/// If one of them fails.
pub fn in_turns<const N: usize>(
    rounds: usize,
    mut commands: [&mut dyn FnMut() -> Result<Cost>; N],
) -> Result<[Cost; N]> {
    let mut costs: [Vec<Cost>; N] = std::array::from_fn(|_| Vec::new());
    for _ in 0..rounds.max(1) {
        for (command, costs) in commands.iter_mut().zip(&mut costs) {
            costs.push(command()?);
        }
    }
    Ok(costs.map(|costs| middle(&costs)))
}

fn middle(costs: &[Cost]) -> Cost {
    let of = |what: fn(&Cost) -> f64| {
        let mut all: Vec<f64> = costs.iter().map(what).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    Cost {
        wall: of(|c| c.wall),
        cpu: of(|c| c.cpu),
        memory: costs.iter().map(|c| c.memory).max().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_measured_with_what_it_starts_and_one_that_fails_is_none() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; :"]);
        let took = cost(&mut shell).expect("it succeeds");
        assert!(took.cpu > 0.0 && took.wall > 0.0 && took.memory > 0);
        assert!(cost(Command::new("sh").args(["-c", "exit 3"])).is_err());
        assert!(cost(&mut Command::new("/there/is/none")).is_err());
    }

    #[test]
    fn the_middle_of_several_is_told() {
        let took = |wall: f64| Cost {
            wall,
            cpu: wall * 2.0,
            memory: wall as u64,
        };
        let mut times = [5.0, 1.0, 9.0].into_iter();
        let [middle] =
            in_turns(3, [&mut || Ok(took(times.next().expect("three")))]).expect("they succeed");
        assert_eq!((middle.wall, middle.cpu, middle.memory), (5.0, 10.0, 9));
    }
}
