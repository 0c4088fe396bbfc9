//! A value without a mark is one test's own, wherever that runs.

use std::cell::{Cell, RefCell};

/// Changed by each test that asks for it.
#[wasmtest::fixture]
fn list() -> RefCell<Vec<u32>> {
    RefCell::new(vec![1])
}

/// Made of one that is a test's own, and so one itself.
#[wasmtest::fixture]
fn length(list: &RefCell<Vec<u32>>) -> usize {
    list.borrow().len()
}

/// A suite's, and made anew nevertheless.
#[wasmtest::fixture(unit, fresh)]
fn anew() -> Cell<u32> {
    Cell::new(0)
}

/// Looks at both, and changes them.
fn change(list: &RefCell<Vec<u32>>, length: usize) {
    assert_eq!((list.borrow().len(), length), (1, 1));
    list.borrow_mut().push(2);
}

#[wasmtest::test(cases(a = (), b = (), c = ()))]
fn is_as_it_was_made(_again: (), list: &RefCell<Vec<u32>>, length: usize) {
    change(list, length);
}

#[wasmtest::test(cases(a = (), b = ()))]
fn is_new_in_each(_again: (), anew: &Cell<u32>) {
    assert_eq!(anew.replace(1), 0);
}

thread_local! {
    /// How many there are of what is counted.
    static LIVING: Cell<i32> = const { Cell::new(0) };
}

/// One of a thread's that is to be the only one.
pub struct Only;

impl Drop for Only {
    fn drop(&mut self) {
        LIVING.set(LIVING.get() - 1);
    }
}

#[wasmtest::fixture]
fn only() -> Only {
    assert_eq!(LIVING.replace(1), 0, "another one is there");
    Only
}

/// In one instance, one after the other.
mod in_a_unit {
    use super::*;

    #[wasmtest::setup]
    fn base() -> u32 {
        40
    }

    #[wasmtest::before]
    fn prepare(list: &RefCell<Vec<u32>>) {
        assert_eq!(list.borrow().len(), 1);
    }

    #[wasmtest::after]
    fn look(list: &RefCell<Vec<u32>>) {
        // the same one as the test had
        assert_eq!(list.borrow().len(), 2);
    }

    #[wasmtest::test(cases(a = (), b = (), c = ()))]
    fn is_as_it_was_made(_again: (), list: &RefCell<Vec<u32>>, length: usize, base: u32) {
        change(list, length);
        assert_eq!(base, 40);
    }

    #[wasmtest::test(cases(a = (), b = ()))]
    fn is_new_in_each(_again: (), anew: &Cell<u32>, list: &RefCell<Vec<u32>>) {
        assert_eq!(anew.replace(1), 0);
        list.borrow_mut().push(2);
    }

    #[wasmtest::test(cases(a = (), b = ()))]
    fn is_dropped_after_each(_again: (), only: &Only, list: &RefCell<Vec<u32>>) {
        let _ = only;
        assert_eq!(LIVING.get(), 1);
        list.borrow_mut().push(2);
    }
}

#[wasmtest::suite(split)]
mod in_a_split_suite {
    use super::*;

    #[wasmtest::setup]
    fn table() -> Vec<Cell<u32>> {
        (0..100).map(Cell::new).collect()
    }

    #[wasmtest::test(cases(a = 1, b = 2, c = 3))]
    fn is_as_it_was_made(by: u32, table: &[Cell<u32>], list: &RefCell<Vec<u32>>, length: usize) {
        change(list, length);
        assert_eq!(table.iter().map(Cell::get).sum::<u32>(), 4950);
        table[0].set(by);
    }
}

/// A value that cannot be made fails those that ask for it, and no others.
mod result {
    #[wasmtest::fixture]
    fn number() -> Result<u32, std::num::ParseIntError> {
        "12".parse()
    }

    #[wasmtest::test]
    fn is_its_content(number: u32) -> Result<(), String> {
        match number {
            12 => Ok(()),
            other => Err(other.to_string()),
        }
    }
}
