//! Tests that look at how they are called, and that should panic and do so in every way there is.

/// How they are called.
#[cfg(test)]
mod called {
    #[test]
    fn on_the_main_thread() {
        assert_eq!(std::thread::current().name(), Some("main"));
    }

    #[test]
    fn with_its_name_as_an_argument() {
        assert!(std::env::args().any(|arg| arg == "called::with_its_name_as_an_argument"));
    }

    #[test]
    fn and_what_it_printed_is_flushed() {
        print!("no end of line");
        eprint!("nor here");
    }

    /// The folder is there when it runs a second time.
    #[test]
    fn gives_an_error_the_first_time() -> Result<(), String> {
        match std::fs::create_dir("/shared/once") {
            Ok(()) => Err("the first time".to_owned()),
            Err(_) => Ok(()),
        }
    }

    #[test]
    fn gives_an_error() -> Result<(), String> {
        println!("before it");
        Err("as ever".to_owned())
    }
}

/// What should panic.
#[cfg(test)]
mod panics {
    use std::fmt;
    use std::hint::black_box;

    struct PanicsWhenShown;

    impl fmt::Display for PanicsWhenShown {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("with words")
        }
    }

    #[test]
    #[should_panic]
    fn passes_bare() {
        panic!("with words")
    }

    #[test]
    #[should_panic(expected = "words")]
    fn passes_with_its_words() {
        panic!("with {}", black_box("words"))
    }

    #[test]
    #[should_panic(expected = "second\nthird")]
    fn passes_with_lines() {
        panic!("first\nsecond\nthird")
    }

    #[test]
    #[should_panic(expected = "the end of it")]
    fn passes_with_a_long_message() {
        panic!("{} the end of it", "long ".repeat(5000))
    }

    #[test]
    #[should_panic(expected = "index out of bounds")]
    fn passes_out_of_a_slice() {
        let all = [1, 2, 3];
        assert_eq!(all[black_box(3)], 4);
    }

    #[test]
    #[should_panic(expected = "words")]
    fn passes_after_much_output() {
        for _ in 0..100_000 {
            eprintln!("a line among many");
        }
        panic!("with words")
    }

    #[test]
    #[should_panic(expected = "a\r\nb\r")]
    fn passes_with_returns() {
        panic!("HTTP a\r\nb\r")
    }

    #[test]
    #[should_panic(expected = "first")]
    fn passes_with_words_like_stds_behind() {
        panic!("first\nthread 'main' panicked at a.rs:1:1:\nwith words")
    }

    #[test]
    #[should_panic(expected = "with words")]
    fn passes_with_words_like_stds_before() {
        panic!("first\nstack backtrace:\n with words")
    }

    #[test]
    #[should_panic(expected = "with words")]
    fn passes_with_a_hook_around_stds() {
        let stds = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            eprintln!("a panic comes:");
            stds(info);
            eprintln!("it was the last");
        }));
        panic!("with words")
    }

    #[test]
    #[should_panic(expected = "the last")]
    fn fails_with_words_that_its_hook_wrote() {
        let stds = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            eprintln!("it is the last");
            stds(info);
        }));
        panic!("with words")
    }

    #[test]
    #[should_panic(expected = "words")]
    fn errs_without_a_hook_whatever_it_wrote() {
        std::panic::set_hook(Box::new(|_| ()));
        eprintln!("\nthread 'main' (1) panicked at src/lib.rs:1:1:\nwith words");
        panic!("with others")
    }

    #[test]
    #[should_panic]
    fn passes_without_a_hook() {
        std::panic::set_hook(Box::new(|_| ()));
        panic!("with words")
    }

    #[test]
    #[should_panic]
    fn passes_when_it_resumes() {
        std::panic::resume_unwind(Box::new(1))
    }

    #[test]
    #[ignore = "by itself"]
    #[should_panic(expected = "words")]
    fn passes_if_it_is_not_ignored() {
        panic!("with words")
    }

    #[test]
    #[should_panic]
    fn fails_since_it_comes_back() {}

    #[test]
    #[should_panic(expected = "words")]
    fn fails_since_it_comes_back_with_its_words() {
        eprintln!("thread 'main' panicked at src/lib.rs:1:1:\nwith words");
    }

    #[test]
    #[should_panic(expected = "other words")]
    fn fails_with_words_that_it_only_wrote() {
        eprintln!("other words");
        eprintln!("thread 'main' panicked at src/lib.rs:1:1:\nother words");
        panic!("with words")
    }

    #[test]
    #[should_panic(expected = "Box")]
    fn fails_without_text() {
        std::panic::panic_any(3)
    }

    #[test]
    #[should_panic]
    fn fails_since_it_exits() {
        std::process::exit(101)
    }

    #[test]
    #[should_panic(expected = "words")]
    fn errs_without_a_hook() {
        std::panic::set_hook(Box::new(|_| ()));
        panic!("with words")
    }

    #[test]
    #[should_panic]
    fn errs_since_it_aborts() {
        eprintln!("thread 'main' panicked at src/lib.rs:1:1:\nwith words");
        std::process::abort()
    }

    #[test]
    #[should_panic]
    fn errs_since_it_is_unreachable() {
        core::arch::wasm32::unreachable()
    }

    #[test]
    #[should_panic]
    fn errs_since_it_reads_what_is_not_there() {
        // SAFETY: none; the sandbox stops it.
        unsafe { black_box(0x4000_0000 as *const u32).read_volatile() };
    }

    #[test]
    #[should_panic]
    fn errs_since_it_panics_while_it_panics() {
        panic!("{}", PanicsWhenShown)
    }
}
