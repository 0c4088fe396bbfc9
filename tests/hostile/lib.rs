//! The corpus's attacks that are tests, a file each, and the three ordinary tests that run beside
//! every attack. `xtask/src/hostile/entry.rs` says what the first lines of a file mean.
#![cfg(test)]
#![allow(clippy::empty_loop)]

mod abort;
mod attach_escapes;
mod attach_large;
mod attach_many;
mod clock_calls;
mod disk_entries;
mod disk_entries_links;
mod disk_entries_million;
mod disk_fill;
mod disk_fill_far_apart;
mod disk_fill_many;
mod disk_fill_removed;
mod disk_overwrite;
mod environment;
mod exit_code;
mod file_removed_folder;
mod file_renames;
mod file_sparse;
mod files_many;
mod files_of_the_host;
mod files_open;
mod files_open_limit;
mod fixture_spins;
mod flood_and_pass;
mod flood_escapes;
mod flood_limit;
mod flood_lines;
mod flood_nul;
mod flood_one_line;
mod flood_small;
mod folders_nested;
mod folders_nested_deep;
mod forged_events;
mod forged_failure_of_sibling;
mod forged_pass;
mod forged_skip;
mod forged_skip_sdk;
mod links_hard;
mod links_loop;
mod links_out;
mod log_large;
mod log_many;
mod memory_at_once;
mod memory_own_limit;
mod names_long;
mod panic_escapes;
mod panic_in_panic;
mod panic_large;
mod panics_by_exit;
mod panics_by_forgery;
mod panics_by_overflow;
mod panics_by_time;
mod random_flood;
mod read_stdin;
mod recursion;
mod recursion_by_pointer;
mod recursion_in_drop;
mod setup_shared_spins;
mod setup_spins;
mod skip_large;
mod sleep;
mod sleep_in_slices;
mod snapshot_large;
mod sockets;
mod spin;
mod spin_in_drop;
mod teardown_spins;
mod trap_address;
mod value_large;

/// A symbolic link, which std cannot make on this target yet; whether it is there.
fn symlink(to: &str, path: &str) -> bool {
    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        fn path_symlink(
            to: *const u8,
            to_length: usize,
            folder: i32,
            path: *const u8,
            length: usize,
        ) -> u16;
    }
    let path = path.strip_prefix("/tmp/").expect("a path in it");
    // the only folder that there is
    const TMP: i32 = 3;
    // SAFETY: both are texts of these lengths.
    unsafe { path_symlink(to.as_ptr(), to.len(), TMP, path.as_ptr(), path.len()) == 0 }
}

/// What every attack runs beside.
mod siblings {
    #[test]
    fn computes() {
        let numbers: Vec<u64> = (0..100_000).collect();
        assert_eq!(numbers.iter().sum::<u64>(), 4_999_950_000);
    }

    #[wasmtest::test]
    fn writes_a_file() {
        std::fs::write("/tmp/own", vec![7; 100_000]).expect("there is room");
        assert_eq!(
            std::fs::read("/tmp/own").expect("it is there").len(),
            100_000
        );
        assert_eq!(std::fs::read_dir("/tmp").expect("readable").count(), 1);
    }

    #[wasmtest::test]
    fn says_something() {
        println!("a line");
        wasmtest::log("a line of the log");
    }
}
