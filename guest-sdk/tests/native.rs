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
fn attaches_below_the_target_folder() {
    wasmtest::attach("../a name.txt", "text/plain", "content");
    let exe = std::env::current_exe().expect("known");
    let target = exe.ancestors().nth(3).expect("target/debug/deps");
    let file = target.join("wasmtest/attaches_below_the_target_folder/_a_name.txt");
    assert_eq!(std::fs::read_to_string(file).expect("written"), "content");
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
