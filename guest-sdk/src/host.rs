//! What a test asks of its runner: by imports in core modules of WASI 0.1, by
//! itself everywhere else.

#[cfg(all(target_os = "wasi", target_env = "p1"))]
mod imports {
    wit_bindgen::generate!({ path: "../wit", world: "guest" });

    pub use wasmtest::test::host;
}

/// Adds a line to the report of this test, whether it passes or fails.
///
/// Outside of the runner it is printed to stderr.
pub fn log(text: impl AsRef<str>) {
    let text = text.as_ref();
    #[cfg(all(target_os = "wasi", target_env = "p1"))]
    imports::host::log(text);
    #[cfg(not(all(target_os = "wasi", target_env = "p1")))]
    eprintln!("log: {text}");
}

/// Attaches something to the report of this test, under a name and with a media
/// type such as `text/plain` or `image/png`.
///
/// Outside of the runner it is written to a file below `target/wasmtest`, if
/// that can be done.
pub fn attach(name: impl AsRef<str>, media_type: impl AsRef<str>, content: impl AsRef<[u8]>) {
    let (name, media_type, content) = (name.as_ref(), media_type.as_ref(), content.as_ref());
    #[cfg(all(target_os = "wasi", target_env = "p1"))]
    imports::host::attach(name, media_type, content);
    #[cfg(not(all(target_os = "wasi", target_env = "p1")))]
    elsewhere::attach(name, media_type, content);
}

/// The id of the test that runs: the module's name, a space, the test's path.
///
/// Outside of the runner it is the name of the test's thread, which libtest sets
/// to the test's path.
pub fn test_id() -> String {
    #[cfg(all(target_os = "wasi", target_env = "p1"))]
    return imports::host::test_id();
    #[cfg(not(all(target_os = "wasi", target_env = "p1")))]
    elsewhere::test_id()
}

/// Which attempt at this test it is: 1 unless it is run again.
pub fn attempt() -> u32 {
    #[cfg(all(target_os = "wasi", target_env = "p1"))]
    return imports::host::attempt();
    #[cfg(not(all(target_os = "wasi", target_env = "p1")))]
    1
}

/// See [`crate::skip!`].
pub fn skip(reason: &str) -> ! {
    #[cfg(all(target_os = "wasi", target_env = "p1"))]
    {
        imports::host::skip(reason);
        unreachable!("the runner ends a skipped test");
    }
    #[cfg(not(all(target_os = "wasi", target_env = "p1")))]
    elsewhere::skip(reason)
}

#[cfg(not(all(target_os = "wasi", target_env = "p1")))]
pub use elsewhere::catching_skips;

#[cfg(not(all(target_os = "wasi", target_env = "p1")))]
mod elsewhere {
    use crate::__private::Skipped;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::path::PathBuf;

    /// What a skipped test is unwound with: no hook prints it.
    struct Skip;

    pub fn test_id() -> String {
        std::thread::current().name().unwrap_or("main").to_owned()
    }

    pub fn skip(reason: &str) -> ! {
        // the runner reads this line where it runs the test as libtest's
        eprintln!("wasmtest: skipped: {}", reason.replace('\n', " "));
        if cfg!(panic = "abort") {
            // nothing can be unwound here; the runner does not take this for a pass
            std::process::exit(0);
        }
        resume_unwind(Box::new(Skip))
    }

    /// Where a panic aborts nothing can be caught.
    #[cfg(not(panic = "unwind"))]
    pub fn catching_skips<T: Skipped>(test: impl FnOnce() -> T) -> T {
        test()
    }

    #[cfg(panic = "unwind")]
    pub fn catching_skips<T: Skipped>(test: impl FnOnce() -> T) -> T {
        match catch_unwind(AssertUnwindSafe(test)) {
            Ok(value) => value,
            Err(payload) if payload.is::<Skip>() => T::skipped(),
            Err(payload) => resume_unwind(payload),
        }
    }

    pub fn attach(name: &str, media_type: &str, content: &[u8]) {
        let plain = |text: &str| -> String {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            text.chars()
                .map(|c| if allowed(c) { c } else { '_' })
                .collect()
        };
        // two levels up from the test binary: target/debug/deps
        let target = std::env::current_exe().ok().and_then(|exe| {
            let target = exe.ancestors().nth(3)?;
            (target.file_name()? == "target").then(|| target.to_owned())
        });
        let folder = target
            .unwrap_or_else(|| PathBuf::from("target"))
            .join("wasmtest")
            .join(plain(&test_id()));
        let file = folder.join(plain(name).trim_start_matches('.'));
        let written =
            std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, content));
        match written {
            Ok(()) => eprintln!("attached: {} ({media_type})", file.display()),
            Err(e) => eprintln!("attached: {name} ({media_type}), not written: {e}"),
        }
    }
}
