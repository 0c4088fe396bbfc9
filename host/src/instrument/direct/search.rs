//! Finds a libtest binary's tests in the file: the function that hands them over, and what it hands over.
//!
//! rustc's test harness makes a `main` that calls libtest with the address of an array of
//! pointers to what describes each test, and how many there are. Three shapes are known:
//!
//! - `main` is of type () -> () and calls with two constants; the array lies in the data
//!   (up to Rust 1.100);
//! - with fat link-time optimisation the call is gone; the array is still there, and `main` is the
//!   one function of that type in which its address stands, or that of its end;
//! - of few tests the loop over the array is gone with it, and a function of libtest's is called
//!   with the address of each description;
//! - `main` gives an exit code, stores the pointers to its frame one by one and calls with its
//!   address (from Rust 1.101 on); or the call is gone, and only the pointers are stored.
//!
//! How the description of a test is laid out is nobody's promise: whatever word of it could be
//! the test's name, or its function, is a candidate, and which of them it is has to be shown
//! elsewhere. Here nothing is believed that is not the same in all tests.

use super::described::WORD;
use super::module::Module;
use super::{Found, MainResult, NotFound, runner};
use std::collections::{BTreeMap, HashMap, HashSet};
use wasmparser::{FunctionBody, Operator, ValType};

/// No binary has more tests.
const MOST_TESTS: u32 = 1_000_000;

/// Finds them.
pub(super) fn search(bytes: &[u8]) -> Result<Found, NotFound> {
    let module = Module::read(bytes)?;
    let stack_pointer = module.stack_pointer()?;
    let mut handed: Vec<Handed> = Vec::new();
    for (at, body) in module.bodies.iter().enumerate() {
        let Some(result) = module.result_of(at) else {
            continue;
        };
        let found = match result {
            MainResult::Nothing => module.two_constants(body)?,
            MainResult::ExitCode => module.stored_one_by_one(body)?,
        };
        handed.extend(found.map(|(tests, to)| Handed {
            at,
            result,
            tests,
            to: Some(to),
        }));
    }
    if handed.is_empty() {
        handed = module.somewhere_in_data()?;
        handed.extend(module.stored_somewhere()?);
        let singly = module.handed_singly()?;
        // what else could be one is no array of many
        let all = handed.iter().chain(&singly);
        let most = all.map(|handed| handed.tests.len()).max();
        let has_most = |handed: &Handed| Some(handed.tests.len()) == most;
        match singly.iter().any(has_most) {
            true => handed = singly.into_iter().filter(has_most).collect(),
            false => handed.retain(has_most),
        }
    }
    let [
        Handed {
            at,
            result,
            tests,
            to,
        },
    ] = &handed[..]
    else {
        return Err(match handed.is_empty() {
            true => NotFound::NoTests,
            false => NotFound::Several,
        });
    };
    // what is called there would be left out: a runner of the binary's own is none of libtest's
    if let Some(to) = to
        && runner::is_of_its_own(bytes, &module.bodies[*at], *to)?
    {
        return Err(NotFound::OwnRunner);
    }
    let words = module.words_of(tests);
    let names = module.names(tests, words.clone());
    let (functions, ty) = module.test_functions(tests, words.clone())?;
    if names.is_empty() {
        return Err(NotFound::NoTests);
    }
    Ok(Found {
        main: (module.imported + at) as u32,
        result: *result,
        tests: tests.clone(),
        names,
        functions,
        expectations: module.expectations(tests, words),
        ty,
        stack_pointer,
    })
}

/// What a function hands over.
struct Handed {
    /// Its index among those defined.
    at: usize,
    result: MainResult,
    /// Where the description of each test lies.
    tests: Vec<u32>,
    /// The function that they are handed to, where that is one.
    to: Option<u32>,
}

impl Module<'_> {
    /// What a defined function would give if it were `main`; `None` if its type is another.
    fn result_of(&self, at: usize) -> Option<MainResult> {
        let ty = self.type_of(self.imported + at)?;
        match (ty.params(), ty.results()) {
            ([], []) => Some(MainResult::Nothing),
            ([], [ValType::I32]) => Some(MainResult::ExitCode),
            _ => None,
        }
    }

    /// Whether a function takes an array and its length, and gives this.
    fn takes_tests(&self, function: u32, result: MainResult) -> bool {
        let results: &[ValType] = match result {
            MainResult::Nothing => &[],
            MainResult::ExitCode => &[ValType::I32],
        };
        self.type_of(function as usize).is_some_and(|ty| {
            ty.params() == [ValType::I32, ValType::I32] && ty.results() == results
        })
    }

    /// The tests of a function that calls another with an array in the data and its length.
    fn two_constants(&self, body: &FunctionBody<'_>) -> Result<Option<(Vec<u32>, u32)>, NotFound> {
        let mut operators = body.get_operators_reader()?;
        let mut last = [None, None];
        while !operators.eof() {
            self.bounded()?;
            let operator = operators.read()?;
            if let (Operator::Call { function_index }, [Some(array), Some(count)]) =
                (&operator, last)
                && self.takes_tests(*function_index, MainResult::Nothing)
                && let Some(tests) = self.tests_at(array, Some(count))
            {
                return Ok(Some((tests, *function_index)));
            }
            let constant = match operator {
                Operator::I32Const { value } => Some(value.cast_unsigned()),
                _ => None,
            };
            last = [last[1], constant];
        }
        Ok(None)
    }

    /// The tests of a function that stores pointers to its frame and calls another with their
    /// place there and their number.
    fn stored_one_by_one(
        &self,
        body: &FunctionBody<'_>,
    ) -> Result<Option<(Vec<u32>, u32)>, NotFound> {
        let mut operators = body.get_operators_reader()?;
        let mut stored: HashMap<u64, u32> = HashMap::new();
        let mut seen: Vec<Operator<'_>> = Vec::new();
        while !operators.eof() {
            let operator = operators.read()?;
            match (&operator, &seen[..]) {
                (
                    Operator::I32Store { memarg },
                    [.., Operator::LocalGet { .. }, Operator::I32Const { value }],
                ) => {
                    stored.insert(memarg.offset, value.cast_unsigned());
                }
                (
                    Operator::Call { function_index },
                    [
                        ..,
                        Operator::LocalGet { .. },
                        Operator::I32Const { value: frame },
                        Operator::I32Add,
                        Operator::I32Const { value: count },
                    ],
                ) if self.takes_tests(*function_index, MainResult::ExitCode) => {
                    let tests = self.tests_stored(&stored, *frame, *count);
                    return Ok(tests.map(|tests| (tests, *function_index)));
                }
                (
                    Operator::Call { function_index },
                    [
                        ..,
                        Operator::LocalGet { .. },
                        Operator::I32Const { value: count },
                    ],
                ) if self.takes_tests(*function_index, MainResult::ExitCode) => {
                    let tests = self.tests_stored(&stored, 0, *count);
                    return Ok(tests.map(|tests| (tests, *function_index)));
                }
                _ => {}
            }
            if seen.len() == 4 {
                seen.remove(0);
            }
            seen.push(operator);
        }
        Ok(None)
    }

    /// What lies in a frame from here on, if each is a test.
    fn tests_stored(&self, stored: &HashMap<u64, u32>, frame: i32, count: i32) -> Option<Vec<u32>> {
        let (frame, count) = (u64::try_from(frame).ok()?, u32::try_from(count).ok()?);
        // no other is stored beside them
        if count == 0 || count > MOST_TESTS || stored.len() != count as usize {
            return None;
        }
        let places = (0..count).map(|n| stored.get(&(frame + u64::from(n * WORD))).copied());
        let tests: Vec<u32> = places.collect::<Option<_>>()?;
        self.are_tests(&tests).then_some(tests)
    }

    /// Arrays of tests whose address stands in one function: it was made of `main` and all that
    /// it calls. What is handed to a function as it is may be what lies behind an array, and is
    /// left out where something else is found.
    fn somewhere_in_data(&self) -> Result<Vec<Handed>, NotFound> {
        let (mut used, mut passed_on): (Vec<Handed>, Vec<Handed>) = (Vec::new(), Vec::new());
        for (at, body) in self.bodies.iter().enumerate() {
            if self.result_of(at) != Some(MainResult::Nothing) {
                continue;
            }
            let mut looked_at = HashSet::new();
            let mut operators = body.get_operators_reader()?;
            let mut last = None;
            while !operators.eof() {
                self.bounded()?;
                let operator = operators.read()?;
                let is_passed_on = matches!(operator, Operator::Call { .. });
                if let Some(value) = last
                    && looked_at.insert((value, is_passed_on))
                    && let Some(tests) = self.tests_at(value, None)
                {
                    let result = MainResult::Nothing;
                    let list = match is_passed_on {
                        true => &mut passed_on,
                        false => &mut used,
                    };
                    // it may be there by its begin and by its end
                    if !list.iter().any(|h| h.at == at && h.tests == tests) {
                        list.push(Handed {
                            at,
                            result,
                            tests,
                            to: None,
                        });
                    }
                }
                last = match operator {
                    Operator::I32Const { value } => Some(value.cast_unsigned()),
                    _ => None,
                };
            }
        }
        Ok(match used.is_empty() {
            true => passed_on,
            false => used,
        })
    }

    /// Tests with whose addresses one function calls another, one call each: the loop over them was
    /// unrolled.
    fn handed_singly(&self) -> Result<Vec<Handed>, NotFound> {
        let mut handed = Vec::new();
        for (at, body) in self.bodies.iter().enumerate() {
            let Some(result) = self.result_of(at) else {
                continue;
            };
            let mut by_called: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
            let mut operators = body.get_operators_reader()?;
            let mut last = None;
            while !operators.eof() {
                self.bounded()?;
                let operator = operators.read()?;
                // where to put it, and what of
                if let (Operator::Call { function_index }, Some(test)) = (&operator, last)
                    && self.takes_tests(*function_index, MainResult::Nothing)
                    && self.are_tests(&[test])
                {
                    by_called.entry(*function_index).or_default().push(test);
                }
                last = match operator {
                    Operator::I32Const { value } => Some(value.cast_unsigned()),
                    _ => None,
                };
            }
            let all = by_called.into_values();
            handed.extend(
                all.filter(|tests| self.are_tests(tests))
                    .map(|tests| Handed {
                        at,
                        result,
                        tests,
                        to: None,
                    }),
            );
        }
        Ok(handed)
    }

    /// Pointers to tests that one function stores next to each other: it was made of `main` and
    /// all that it calls.
    fn stored_somewhere(&self) -> Result<Vec<Handed>, NotFound> {
        let mut handed = Vec::new();
        for (at, body) in self.bodies.iter().enumerate() {
            let result = MainResult::ExitCode;
            if self.result_of(at) != Some(result) {
                continue;
            }
            let mut stored: BTreeMap<(u32, u64), u32> = BTreeMap::new();
            let mut operators = body.get_operators_reader()?;
            let mut before = [None, None];
            while !operators.eof() {
                self.bounded()?;
                let operator = operators.read()?;
                if let (
                    Operator::I32Store { memarg },
                    [
                        Some(Operator::LocalGet { local_index }),
                        Some(Operator::I32Const { value }),
                    ],
                ) = (&operator, &before)
                    && self.are_tests(&[value.cast_unsigned()])
                {
                    stored.insert((*local_index, memarg.offset), value.cast_unsigned());
                }
                let [_, last] = before;
                before = [last, Some(operator)];
            }
            let places: Vec<(u32, u64)> = stored.keys().copied().collect();
            let adjoin = |two: &[(u32, u64)]| {
                two[0].0 == two[1].0 && two[1].1.checked_sub(two[0].1) == Some(u64::from(WORD))
            };
            let tests: Vec<u32> = stored.into_values().collect();
            if !tests.is_empty() && places.windows(2).all(adjoin) && self.are_tests(&tests) {
                handed.push(Handed {
                    at,
                    result,
                    tests,
                    to: None,
                });
            }
        }
        Ok(handed)
    }

    /// The array of tests at this address: of so many, or of as many as there are from here on, or
    /// up to here.
    fn tests_at(&self, array: u32, count: Option<u32>) -> Option<Vec<u32>> {
        if !array.is_multiple_of(WORD) || count.is_some_and(|n| n == 0 || n > MOST_TESTS) {
            return None;
        }
        let pointer = |n: u32| self.image.word(array.checked_add(n * WORD)?);
        let before = |n: u32| self.image.word(array.checked_sub(n * WORD)?);
        let is_one = |test: &u32| self.are_tests(&[*test]);
        let tests: Vec<u32> = match count {
            Some(count) => (0..count).map(pointer).collect::<Option<_>>()?,
            None => {
                let from_here = (0..MOST_TESTS).map_while(pointer).take_while(is_one);
                let mut tests: Vec<u32> = from_here.collect();
                if tests.is_empty() {
                    // a loop may count up to its end
                    let to_here = (1..=MOST_TESTS).map_while(before).take_while(is_one);
                    tests.extend(to_here);
                    tests.reverse();
                }
                tests
            }
        };
        (!tests.is_empty() && self.are_tests(&tests)).then_some(tests)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{NotFound, direct, find};

    /// Two tests as descriptions of four words (a name, its length, a function, more) at 64, an
    /// array of pointers to them at 128, and what is different.
    struct Binary {
        names: [&'static str; 2],
        places: [u32; 2],
        pointers: [u32; 2],
        main: &'static str,
        more: &'static str,
    }

    const USUAL: Binary = Binary {
        names: ["m::a", "m::b"],
        places: [1, 2],
        pointers: [64, 96],
        main: "(func $main i32.const 128 i32.const 2 call $run)",
        more: "",
    };

    impl Binary {
        fn bytes(&self) -> Vec<u8> {
            let word = |word: u32| -> String {
                let bytes = word.to_le_bytes();
                bytes.iter().map(|b| format!("\\{b:02x}")).collect()
            };
            let mut data = String::new();
            for at in 0..2 {
                let (name, text) = (256 + at * 64, self.names[at as usize]);
                let described = [name, text.len() as u32, self.places[at as usize], 7];
                let described: String = described.into_iter().map(word).collect();
                data.push_str(&format!(
                    r#"(data (i32.const {}) "{described}") (data (i32.const {name}) "{text}")"#,
                    64 + at * 32
                ));
            }
            let pointers: String = self.pointers.into_iter().map(word).collect();
            let (main, more) = (self.main, self.more);
            let text = format!(
                r#"(module
                    (memory (export "memory") 1)
                    (global $stack (export "__stack_pointer") (mut i32) (i32.const 4096))
                    (table 8 funcref)
                    (elem (i32.const 1) $a $b $main)
                    {data} (data (i32.const 128) "{pointers}")
                    (func $run (@name "test::test_main_static") (param i32 i32) (global.set $stack (i32.sub (global.get $stack) (i32.const 16))) (global.set $stack (i32.add (global.get $stack) (i32.const 16))))
                    (func $exit (@name "test::run_tests") (param i32 i32) (result i32) i32.const 0)
                    (func $a (param i32)) (func $b (param i32))
                    {main} {more}
                    (func (export "_start")))"#
            );
            wat::parse_str(text).expect("it is a module")
        }

        fn found(&self) -> Result<Vec<String>, NotFound> {
            let bytes = self.bytes();
            let found = find(&bytes)?;
            let [names] = &found.names[..] else {
                panic!("{found:?}");
            };
            let [functions] = &found.functions[..] else {
                panic!("{found:?}");
            };
            assert_eq!(functions.of_tests, self.places);
            let made = direct(&bytes, &bytes).expect("what is found can be called");
            wasmparser::validate(&made.bytes).expect("it is a module");
            Ok(names.of_tests.clone())
        }
    }

    #[test]
    fn tests_are_found_in_each_shape_in_which_they_are_handed_over() {
        let stores = "local.get 0 i32.const 64 i32.store offset=8 local.get 0 i32.const 96 i32.store offset=12";
        let each = [
            "(func $main i32.const 128 i32.const 2 call $run)".to_owned(),
            // the call is gone: the array's begin, or its end
            "(func $main i32.const 128 drop)".to_owned(),
            "(func $main i32.const 136 drop)".to_owned(),
            "(func $main i32.const 128 drop i32.const 136 drop)".to_owned(),
            // what lies behind the array is another's
            "(func $main i32.const 136 drop) (func $one (param i32)) (func i32.const 136 call $one)".to_owned(),
            format!(
                "(func $main (result i32) (local i32) {stores} local.get 0 i32.const 8 i32.add i32.const 2 call $exit)"
            ),
            format!("(func $main (result i32) (local i32) {stores} i32.const 0)"),
            // the loop is gone, too
            "(func $main (local i32) local.get 0 i32.const 64 call $run local.get 0 i32.const 96 call $run)".to_owned(),
        ];
        for main in each {
            let main: &'static str = main.leak();
            let binary = Binary { main, ..USUAL };
            assert_eq!(
                binary.found(),
                Ok(vec!["m::a".into(), "m::b".into()]),
                "{main}"
            );
        }
    }

    #[test]
    fn what_only_looks_like_tests_is_none() {
        // of one that is left libtest proves that it is not all of them
        let none = |binary: Binary| match find(&binary.bytes()) {
            Err(why) => why,
            Ok(found) => {
                assert!(found.names.iter().all(|names| names.of_tests.len() < 2));
                NotFound::NoTests
            }
        };
        // names that are no names, or one name twice
        for names in [["m::a", "not a name"], ["m::a", "m::a"], ["m::a", "a.rs"]] {
            assert_eq!(none(Binary { names, ..USUAL }), NotFound::NoTests);
        }
        // functions of another type, or none
        for places in [[1, 3], [1, 0], [1, 7]] {
            assert_eq!(none(Binary { places, ..USUAL }), NotFound::NoTests);
        }
        // descriptions that overlap, lie out of the data, or at odd places
        for pointers in [[64, 64], [64, 68], [64, 0x7fff_0000], [64, 97]] {
            assert_eq!(none(Binary { pointers, ..USUAL }), NotFound::NoTests);
        }
        let more = "(func i32.const 128 i32.const 2 call $run)";
        assert_eq!(none(Binary { more, ..USUAL }), NotFound::Several);
    }

    #[test]
    fn what_a_runner_of_the_binarys_own_does_is_not_left_out() {
        let refused = |main, more| {
            let binary = Binary {
                main,
                more,
                ..USUAL
            };
            binary.found().expect_err("it has a runner of its own")
        };
        let own = r#"(func $own (@name "mine::runner") (param i32 i32))"#;
        for (main, more) in [
            ("(func $main i32.const 128 i32.const 2 call $own)", own),
            (
                "(func $main i32.const 128 i32.const 2 call $run i32.const 0 i32.load drop)",
                "",
            ),
            (
                "(func $main call $before i32.const 128 i32.const 2 call $run)",
                "(func $before)",
            ),
        ] {
            assert_eq!(refused(main, more), NotFound::OwnRunner, "{main}");
        }
    }

    #[test]
    fn a_module_that_could_pass_something_else_off_is_left_alone() {
        let more = r#"(global (export "wasmtest:gave") (mut i32) (i32.const 0))"#;
        let own = Binary { more, ..USUAL }.found().expect_err("it lies");
        assert_eq!(own, NotFound::OwnName("wasmtest:gave".to_owned()));
        let more = "(tag (param i32))";
        let unwinds = Binary { more, ..USUAL }.found().expect_err("it unwinds");
        assert_eq!(unwinds, NotFound::Unwinds);
        let more = r#"(data (i32.const 66) "\00")"#;
        let over = Binary { more, ..USUAL }
            .found()
            .expect_err("which of the two");
        assert!(matches!(over, NotFound::Unusual(_)), "{over:?}");
        let component = wat::parse_str("(component)").expect("it is one");
        assert_eq!(find(&component), Err(NotFound::Component));
    }
}
