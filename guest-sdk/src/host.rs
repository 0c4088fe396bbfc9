//! What a test asks of its runner: by imports in core modules of WASI 0.1, by
//! itself everywhere else.

#[cfg(all(target_os = "wasi", target_env = "p1"))]
use crate::bindings::wasmtest::test::host as imports;
#[cfg(not(all(target_os = "wasi", target_env = "p1")))]
use crate::elsewhere;

/// Adds a line to the report of this test, whether it passes or fails.
///
/// Outside of the runner it is printed to stderr.
pub fn log(text: impl AsRef<str>) {
    let text = text.as_ref();
    #[cfg(all(target_os = "wasi", target_env = "p1"))]
    imports::log(text);
    #[cfg(not(all(target_os = "wasi", target_env = "p1")))]
    eprintln!("log: {text}");
}

/// Attaches something to the report of this test, under a name and with a media
/// type such as `text/plain` or `image/png`.
///
/// Outside of the runner it is written to a file, if that can be done, and stderr
/// says to which: `target/wasmtest/EXECUTABLE/TEST/NAME`, or with `-2`, `-3` before
/// the extension where the test has attached that name already. What an earlier run
/// of the test left there is removed when it attaches for the first time.
pub fn attach(name: impl AsRef<str>, media_type: impl AsRef<str>, content: impl AsRef<[u8]>) {
    let (name, media_type, content) = (name.as_ref(), media_type.as_ref(), content.as_ref());
    #[cfg(all(target_os = "wasi", target_env = "p1"))]
    imports::attach(name, media_type, content);
    #[cfg(not(all(target_os = "wasi", target_env = "p1")))]
    elsewhere::attach(name, media_type, content);
}

/// The id of the test that runs: the module's name, a space, the test's path.
///
/// Outside of the runner it is the test's path alone; on a thread that the test
/// started, or in a plain `#[test]`, it is the name of the thread, which libtest
/// sets to the test's path unless it has one thread only.
pub fn test_id() -> String {
    #[cfg(all(target_os = "wasi", target_env = "p1"))]
    return imports::test_id();
    #[cfg(not(all(target_os = "wasi", target_env = "p1")))]
    elsewhere::test_id()
}

/// Which attempt at this test it is: 1 unless it is run again.
pub fn attempt() -> u32 {
    #[cfg(all(target_os = "wasi", target_env = "p1"))]
    return imports::attempt();
    #[cfg(not(all(target_os = "wasi", target_env = "p1")))]
    1
}

/// See [`crate::skip!`].
#[track_caller]
pub fn skip(reason: &str) -> ! {
    #[cfg(all(target_os = "wasi", target_env = "p1"))]
    {
        imports::skip(reason);
        unreachable!("the runner ends a skipped test");
    }
    #[cfg(not(all(target_os = "wasi", target_env = "p1")))]
    elsewhere::skip(reason)
}
