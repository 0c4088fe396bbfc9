//! Which function is which test: proved by libtest itself, which is run once over stand-ins.
//!
//! What is found in a file are candidates ([`Found`]). In place of each function that could be a
//! test's, the host puts one of its own that notes that it was called and says that all is
//! well; then libtest runs all tests, one after the other, and tells the name of each. What
//! it calls under a name is that test's function: whatever candidate says otherwise is none.

use super::list::{LONGEST, complete};
use super::{SHOULD_PANIC, panics, run_args};
use crate::harness::listing::{Answer, Question, StandIn, StandIns, Stood};
use crate::harness::termination::Termination;
use crate::harness::{Case, DirectCall};
use crate::instrument::direct::{self, Candidate, Found, WORD};
use crate::protocol::ListedTest;
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// What libtest said of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// It ran, and all was well.
    Ok,
    /// It was not run.
    Ignored,
    /// Anything else.
    Other,
}

/// The arguments after `argv[0]` with which libtest runs all tests and tells of each; those that
/// are ignored as well, but for `should_panic` ones, which it never runs on wasm.
const RUN_ALL: [&str; 6] = [
    "--format",
    "json",
    "-Z",
    "unstable-options",
    "--include-ignored",
    "--test-threads=1",
];

/// What libtest said of each test in such a run, in order; `None` if it did not come to its end.
fn read_run(stdout: &str) -> Option<Vec<(String, Said)>> {
    #[derive(Deserialize)]
    struct Line {
        r#type: String,
        event: String,
        #[serde(default)]
        name: String,
    }
    let mut said = Vec::new();
    let mut has_ended = false;
    for line in stdout.lines().filter(|line| !line.is_empty()) {
        let line: Line = serde_json::from_str(line).ok()?;
        match (line.r#type.as_str(), line.event.as_str()) {
            ("suite", "started") | ("test", "started") => {}
            ("suite", _) => has_ended = true,
            ("test", "ok") => said.push((line.name, Said::Ok)),
            ("test", "ignored") => said.push((line.name, Said::Ignored)),
            _ => said.push((line.name, Said::Other)),
        }
    }
    has_ended.then_some(said)
}

/// Why a candidate's functions are not those of the tests: a sentence's end.
const OTHER_FUNCTIONS: &str = "libtest calls other functions than those that were found";
/// So many tests are tried until one passes.
const TRIES: usize = 16;
/// How long each may take.
const TRY: Duration = Duration::from_secs(1);

/// Finds out which functions are which tests, and notes it with them. Otherwise why that cannot be.
pub(super) fn calibrate(
    tests: &mut [ListedTest],
    original: &[u8],
    ask: &mut dyn FnMut(&Question<'_>) -> Answer,
) -> Result<(), String> {
    let found = &direct::find(original).map_err(|why| why.to_string())?;
    let passes = one_that_passes(tests, ask)?;
    let mut why = OTHER_FUNCTIONS;
    let mut all_proved: Vec<(&Candidate<u32>, Proved)> = Vec::new();
    for functions in &found.functions {
        match prove_one(&passes, found, functions, ask) {
            Ok(this) if all_proved.iter().any(|(_, other)| *other == this) => {}
            Ok(this) => all_proved.push((functions, this)),
            Err(other) => why = other,
        }
    }
    let fits = panics::fits(tests, found);
    let mut texts = panics::agreed(&fits).cloned();
    let is_clear = all_proved.len() == 1 && texts.is_ok();
    let by_all = match is_clear {
        true => None,
        false => by_all(found, &all_proved, &fits, ask),
    };
    let mut all_proved: Vec<Proved> = all_proved.into_iter().map(|(_, proved)| proved).collect();
    if let Some((proved, its_texts)) = by_all {
        texts = Ok(its_texts);
        all_proved = vec![proved];
    }
    let Proved { ok, places } = match (all_proved.pop(), all_proved.is_empty()) {
        (Some(proved), true) => proved,
        // of those that were not called it is not known which is right
        (Some(_), false) => return Err("more than one function could be that of a test".to_owned()),
        (None, _) => return Err(why.to_owned()),
    };
    let expected = match tests.iter().any(|test| test.should_panic.is_some()) {
        false => None,
        true => Some(texts.and_then(|texts| {
            let all: Vec<u32> = places.values().copied().collect();
            let env = &panics::MAKES_LIBTEST_PANIC;
            let panicked = over(&all, StandIn::Giving(ok), &[], (&[], env), ask);
            Ok((texts, panics::path(original, panicked)?))
        })),
    };
    for test in tests {
        let Some(place) = places.get(&test.path) else {
            continue;
        };
        let mut direct = DirectCall {
            place: *place,
            ok,
            panics: Vec::new(),
            tells: 0..0,
        };
        if let (Some(text), Some(expected)) = (&mut test.should_panic, &expected) {
            match expected {
                Ok((texts, path)) => {
                    *text = texts.get(&test.path).cloned().unwrap_or_default();
                    test.unable = None;
                    direct.panics.clone_from(&path.end);
                    direct.tells = path.tells.clone();
                }
                Err(why) => test.unable = Some(format!("{SHOULD_PANIC}; {why}")),
            }
        }
        test.data = write(&direct);
    }
    Ok(())
}

/// Asks over stand-ins in these places.
fn over(
    places: &[u32],
    does: StandIn,
    words: &[(u32, u32)],
    (args, env): (&[&str], &[(&str, &str)]),
    ask: &mut dyn FnMut(&Question<'_>) -> Answer,
) -> Answer {
    ask(&Question {
        args,
        env,
        stand_ins: Some(StandIns {
            places,
            does,
            words,
        }),
        ..Question::closed(LONGEST)
    })
}

/// What was proved by one candidate's functions.
#[derive(Debug, PartialEq, Eq)]
struct Proved {
    /// The first word of what each gives where all is well.
    ok: u32,
    /// Where in the table each test's function is, by its name.
    places: HashMap<String, u32>,
}

/// Has libtest prove that one candidate's functions are those of the tests.
fn prove_one(
    passes: &str,
    found: &Found,
    functions: &Candidate<u32>,
    ask: &mut dyn FnMut(&Question<'_>) -> Answer,
) -> Result<Proved, &'static str> {
    let places = places_of(functions);
    let args = run_args(&Case {
        path: passes,
        ..Case::plain()
    });
    let args: Vec<&str> = args.iter().map(|arg| &**arg).collect();
    let answer = over(&places, StandIn::Around, &[], (&args, &[]), ask);
    let [Stood { gave: ok, .. }] = answer.called[..] else {
        return Err(OTHER_FUNCTIONS);
    };
    let ran = run_all(&places, ok, &[], ask);
    let WholeRun { said, called } =
        ran.ok_or("libtest does not come to its end over what stands in for its tests")?;
    let places = prove(&found.names, functions, &said, &called)?;
    Ok(Proved { ok, places })
}

/// The places in the table of a candidate's functions, each once.
fn places_of(functions: &Candidate<u32>) -> Vec<u32> {
    let mut places = functions.of_tests.clone();
    places.sort_unstable();
    places.dedup();
    places
}

/// A run of all tests over stand-ins.
struct WholeRun {
    /// What libtest said of each test, in order.
    said: Vec<(String, Said)>,
    /// The places of the stand-ins that it called, in order.
    called: Vec<u32>,
}

/// Has libtest run all tests over stand-ins that give this, with these words in memory; `None` if it
/// did not come to its end.
fn run_all(
    places: &[u32],
    ok: u32,
    words: &[(u32, u32)],
    ask: &mut dyn FnMut(&Question<'_>) -> Answer,
) -> Option<WholeRun> {
    let env = &[("RUSTC_BOOTSTRAP", "1")];
    let answer = over(places, StandIn::Giving(ok), words, (&RUN_ALL, env), ask);
    let said = complete(&answer).then(|| read_run(&answer.stdout.text()))??;
    let called = answer.called.iter().map(|stood| stood.place).collect();
    Some(WholeRun { said, called })
}

/// Has libtest run those that should panic as well, by telling it that they should not: so all are
/// called, and what there is more than one candidate for is proved too, if that is one alone.
fn by_all(
    found: &Found,
    all_proved: &[(&Candidate<u32>, Proved)],
    fits: &[panics::Fit],
    ask: &mut dyn FnMut(&Question<'_>) -> Answer,
) -> Option<(Proved, HashMap<String, String>)> {
    let mut sure = None;
    for (functions, proved) in all_proved {
        let stand_ins = places_of(functions);
        for fit in fits {
            let of_others = fit.of_others?;
            let words: Vec<(u32, u32)> = found
                .tests
                .iter()
                .map(|test| (test.saturating_add(fit.word * WORD), of_others))
                .collect();
            let ok = proved.ok;
            let Some(WholeRun { said, called }) = run_all(&stand_ins, ok, &words, ask) else {
                continue;
            };
            let places = prove(&found.names, functions, &said, &called);
            let (Ok(places), true) = (places, said.iter().all(|(_, said)| *said == Said::Ok))
            else {
                continue;
            };
            let this = (Proved { ok, places }, fit.texts.clone());
            match &sure {
                None => sure = Some(this),
                Some(other) if *other == this => {}
                Some(_) => return None,
            }
        }
    }
    sure
}

fn write(direct: &DirectCall) -> String {
    let DirectCall {
        place,
        ok,
        panics,
        tells,
    } = direct;
    if panics.is_empty() {
        return format!("{place} {ok:x}");
    }
    let panics = panics.iter().map(|at| format!(" {at:x}"));
    let (start, end) = (tells.start, tells.end);
    format!(
        "{place} {ok:x} {start:x} {end:x}{}",
        panics.collect::<String>()
    )
}

/// What was noted with a test.
pub(super) fn read(data: &str) -> Option<DirectCall> {
    let mut words = data.split(' ');
    let (place, ok) = (words.next()?, words.next()?);
    let offsets = words.map(|at| u64::from_str_radix(at, 16).ok());
    let offsets: Vec<u64> = offsets.collect::<Option<_>>()?;
    let (tells, panics) = match &offsets[..] {
        [] => (0..0, &[][..]),
        [start, end, panics @ ..] => (*start..*end, panics),
        [_] => return None,
    };
    Some(DirectCall {
        place: place.parse().ok()?,
        ok: u32::from_str_radix(ok, 16).ok()?,
        panics: panics.to_vec(),
        tells,
    })
}

/// A test that passes when it is started through libtest.
fn one_that_passes(
    tests: &[ListedTest],
    ask: &mut dyn FnMut(&Question<'_>) -> Answer,
) -> Result<String, &'static str> {
    let may_pass =
        |t: &&ListedTest| t.ignored.is_none() && t.should_panic.is_none() && !t.benchmark;
    if !tests.iter().any(|test| may_pass(&test)) {
        return Err("all its tests are ignored or should panic, and so none shows how one passes");
    }
    for test in tests.iter().filter(may_pass).take(TRIES) {
        let case = Case {
            path: &test.path,
            ..Case::plain()
        };
        let args = run_args(&case);
        let args: Vec<&str> = args.iter().map(|arg| &**arg).collect();
        let answer = ask(&Question {
            args: &args,
            at_most: Some(TRY),
            ..Question::closed(LONGEST)
        });
        if answer.ending == Termination::Returned
            && answer
                .stdout
                .text()
                .contains("test result: ok. 1 passed; 0 failed; ")
        {
            return Ok(test.path.clone());
        }
    }
    Err("none of its first tests passes where it may reach nothing")
}

/// The place in the table of each test's function, by name: if libtest called what the candidate
/// says, test by test, and all tests have the names that one candidate says. Otherwise why that is
/// not proved: a sentence's end for the user.
fn prove(
    names: &[Candidate<String>],
    functions: &Candidate<u32>,
    said: &[(String, Said)],
    called: &[u32],
) -> Result<HashMap<String, u32>, &'static str> {
    if said.iter().any(|(_, said)| *said == Said::Other) {
        return Err("libtest takes what stands in for its tests for a failure");
    }
    let ran = said.iter().filter(|(_, said)| *said == Said::Ok);
    let ran: Vec<&str> = ran.map(|(name, _)| name.as_str()).collect();
    if ran.len() != called.len() {
        return Err(OTHER_FUNCTIONS);
    }
    if ran.is_empty() {
        return Err("libtest runs none of its tests");
    }
    let all: HashSet<&str> = said.iter().map(|(name, _)| name.as_str()).collect();
    if all.len() != said.len() {
        return Err("two of its tests have one name");
    }
    // by two words that name all of them each would have another function
    let mut named = names.iter().filter_map(|names| numbers(names, &all));
    let (Some(numbers), None) = (named.next(), named.next()) else {
        return Err("its tests have not the names that were found");
    };
    let mut calls = ran.iter().zip(called);
    if !calls.all(|(name, place)| functions.of_tests[numbers[name]] == *place) {
        return Err(OTHER_FUNCTIONS);
    }
    let places = numbers.iter();
    let places = places.map(|(name, at)| ((*name).to_owned(), functions.of_tests[*at]));
    Ok(places.collect())
}

/// The number of each test by its name, if a candidate's names are these and no others.
fn numbers<'n>(
    names: &'n Candidate<String>,
    all: &HashSet<&str>,
) -> Option<HashMap<&'n str, usize>> {
    let each = names.of_tests.iter().enumerate();
    let numbers: HashMap<&str, usize> = each.map(|(at, name)| (name.as_str(), at)).collect();
    let same = numbers.len() == names.of_tests.len()
        && numbers.len() == all.len()
        && numbers.keys().all(|name| all.contains(name));
    same.then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate<T: Clone>(word: u32, of_tests: &[T]) -> Candidate<T> {
        Candidate {
            word,
            of_tests: of_tests.to_vec(),
        }
    }

    fn said(list: &[(&str, Said)]) -> Vec<(String, Said)> {
        let owned = list.iter().map(|(name, said)| ((*name).to_owned(), *said));
        owned.collect()
    }

    #[test]
    fn what_libtest_calls_under_a_name_is_that_tests_function() {
        use Said::{Ignored, Ok as Passed, Other};
        let names = candidate(5, &["a", "b", "c"].map(str::to_owned));
        let files = candidate(1, &["a.rs", "b.rs", "c.rs"].map(str::to_owned));
        let functions = candidate(17, &[7, 8, 9]);
        let proved = |names: &[Candidate<String>], run: &[(String, Said)], called: &[u32]| {
            prove(names, &functions, run, called)
        };
        let both = [files, names.clone()];
        let run = said(&[("b", Passed), ("a", Passed), ("c", Ignored)]);
        let right: HashMap<String, u32> = [("a", 7), ("b", 8), ("c", 9)]
            .map(|(name, place)| (name.to_owned(), place))
            .into();
        assert_eq!(proved(&both, &run, &[8, 7]), Ok(right));
        // two orders of the same names
        let other = candidate(9, &["b", "a", "c"].map(str::to_owned));
        assert!(proved(&[names, other], &run, &[8, 7]).is_err());
        for called in [&[7, 8][..], &[8], &[8, 7, 9], &[]] {
            assert!(proved(&both, &run, called).is_err(), "{called:?}");
        }
        for run in [
            said(&[("b", Passed), ("a", Other), ("c", Ignored)]),
            said(&[("b", Passed), ("a", Passed)]),
            said(&[("b", Passed), ("a", Passed), ("d", Ignored)]),
            said(&[("b", Passed), ("b", Passed), ("c", Ignored)]),
        ] {
            assert!(proved(&both, &run, &[8, 7]).is_err(), "{run:?}");
        }
        let none = said(&[("b", Ignored), ("a", Ignored), ("c", Ignored)]);
        assert!(proved(&both, &none, &[]).is_err());
    }

    #[test]
    fn a_run_is_read_to_its_end() {
        let run = concat!(
            r#"{ "type": "suite", "event": "started", "test_count": 2 }"#,
            "\n",
            r#"{ "type": "test", "event": "started", "name": "a \"b\"" }"#,
            "\n",
            r#"{ "type": "test", "name": "a \"b\"", "event": "ok" }"#,
            "\n",
            r#"{ "type": "test", "event": "started", "name": "c" }"#,
            "\n",
            r#"{ "type": "test", "name": "c", "event": "ignored" }"#,
            "\n",
            r#"{ "type": "suite", "event": "ok", "passed": 1, "failed": 0 }"#,
            "\n",
        );
        let read = read_run(run).expect("it came to its end");
        assert_eq!(read, said(&[("a \"b\"", Said::Ok), ("c", Said::Ignored)]));
        let cut = &run[..run.len() - 80];
        assert_eq!(read_run(cut), None);
    }
}
