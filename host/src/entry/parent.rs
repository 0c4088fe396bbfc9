//! A process of a run ends with the primary that has started it, however that ends.
//!
//! The end of its channel says so too; but that is read by a thread, and one that is stopped, or
//! whose process is busy in the system, does not read. What a guardian does then takes longer: it
//! is not for it.

use std::os::unix::net::UnixStream;

/// Has the system end this process as soon as the thread that has started it ends; that one
/// lives as long as its run.
///
/// # Errors
/// If the primary, who has made the channel, is gone already.
#[cfg(target_os = "linux")]
pub(super) fn die_with_the_primary(channel: &UnixStream) -> anyhow::Result<()> {
    use anyhow::Context as _;
    use std::os::fd::AsRawFd;

    // SAFETY: a plain attribute of this process; no memory is involved.
    let set = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    anyhow::ensure!(set == 0, "it cannot be tied to the primary");
    let mut maker = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut size = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: it writes to these two places alone, which are this function's and as large as is said.
    let asked = unsafe {
        libc::getsockopt(
            channel.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut maker).cast(),
            &raw mut size,
        )
    };
    if asked != 0 {
        return Err(std::io::Error::last_os_error()).context("who made the channel is unknown");
    }
    // it may have ended before the first line of this
    let parent = u32::try_from(maker.pid)?;
    anyhow::ensure!(
        std::os::unix::process::parent_id() == parent,
        "the primary is gone"
    );
    Ok(())
}

/// The channel's end has to do where the system has nothing of the kind.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub(super) fn die_with_the_primary(_: &UnixStream) -> anyhow::Result<()> {
    Ok(())
}
