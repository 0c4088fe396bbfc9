//! The SDK's tests where they are plain `#[test]` functions: here.
#![forbid(unsafe_code)]

#[wasmtest::test]
fn passes() {}

#[wasmtest::test(tags("a"), timeout = "1s", max_memory = "1MiB")]
fn returns_ok() -> Result<(), String> {
    Ok(())
}

#[wasmtest::test]
#[should_panic(expected = "the right words")]
fn panics() {
    panic!("these are the right words");
}

#[wasmtest::test]
#[ignore = "on purpose"]
fn ignored() {
    panic!("run although ignored");
}

#[wasmtest::test(todo = "not written")]
fn todo() {
    panic!("run although it is to do");
}

#[wasmtest::test]
fn skips() {
    wasmtest::skip_if!(true, "no {}", "data");
    panic!("not reached");
}

#[wasmtest::test]
fn skips_where_a_result_is_asked_for() -> Result<(), String> {
    wasmtest::skip!("no data");
}

#[wasmtest::test]
fn knows_its_name_and_logs() {
    assert_eq!(wasmtest::test_id(), "knows_its_name_and_logs");
    assert_eq!(wasmtest::attempt(), 1);
    wasmtest::log("a line");
}

#[wasmtest::test]
fn attaches_below_the_target_folder_each_to_a_file_of_its_own() {
    let exe = std::env::current_exe().expect("known");
    let target = exe
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").is_file())
        .expect("cargo marks its target folder");
    let folder =
        target.join("wasmtest/native/attaches_below_the_target_folder_each_to_a_file_of_its_own");
    std::fs::create_dir_all(&folder).expect("created");
    std::fs::write(folder.join("of_an_earlier_run.txt"), "").expect("written");
    for content in ["first", "second", "third"] {
        wasmtest::attach("../a name.txt", "text/plain", content);
    }
    wasmtest::attach("without", "text/plain", "a");
    wasmtest::attach("WITHOUT", "text/plain", "b");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("it is there")
        .map(|entry| {
            let path = entry.expect("readable").path();
            let name = path.file_name().expect("it has one").to_string_lossy();
            (
                name.into_owned(),
                std::fs::read_to_string(&path).expect("text"),
            )
        })
        .collect();
    files.sort();
    let expected = [
        ("WITHOUT-2", "b"),
        ("_a_name-2.txt", "second"),
        ("_a_name-3.txt", "third"),
        ("_a_name.txt", "first"),
        ("without", "a"),
    ];
    assert_eq!(files, expected.map(|(n, c)| (n.to_owned(), c.to_owned())));
}

#[wasmtest::test]
#[should_panic]
fn skips_where_a_panic_is_asked_for() {
    wasmtest::skip!("no data");
}

#[wasmtest::test]
#[should_panic(expected = "the right words")]
fn skips_where_a_panic_with_words_is_asked_for() {
    wasmtest::skip!("no data");
}

#[test]
#[should_panic(expected = "skipped: no data (outside of the runner skip! counts")]
fn a_skip_in_a_plain_test_fails_and_says_why() {
    wasmtest::skip!("no {}", "data");
}

/// The SDK as a crate that names it otherwise sees it.
mod renamed {
    pub use wasmtest::*;
}

#[renamed::test(crate = crate::renamed, tags("a"))]
fn passes_where_the_sdk_has_another_name() {}

#[wasmtest::test]
#[cfg_attr(all(), ignore = "under a condition that holds")]
fn ignored_under_a_condition() {
    panic!("run although ignored");
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("not ready"),
    }
}

#[wasmtest::test(block_on = block_on)]
async fn awaits() -> Result<(), String> {
    assert_eq!(std::future::ready(42).await, 42);
    Ok(())
}
