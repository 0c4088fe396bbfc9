//! Which host fixtures the tests of a component ask for by name. Pure.
//!
//! There the SDK's tests are libtest's, and run as libtest's are. The section says
//! nothing but what they need, so that they can be bound to it. A file can claim
//! anything: the most that comes of it is that a test is bound to host fixtures of
//! the user's own `wasmtest.toml`, or that it is not.

use super::{MAX_NEEDS, bad_section, lies, too_many};
use crate::event::Cause;
use crate::protocol::suites::{module_of, without_crate};
use std::collections::{HashMap, HashSet};
use wasmtest_section::{self as section, Kind, Tag, Value};

/// No honest test needs more fixtures and hooks, directly or not.
const MAX_REACHED: usize = 256;

/// The names of host fixtures, by the tests that ask for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostNeeds(HashMap<String, Vec<String>>);

/// A record that was read.
struct Item<'a> {
    kind: Kind,
    path: &'a str,
    needs: Vec<&'a str>,
    host: Option<&'a str>,
}

impl HostNeeds {
    /// What the records of a component's section say.
    ///
    /// # Errors
    /// If the section is damaged, of another version, or asks for too much.
    pub(super) fn of(records: &[u8]) -> Result<Self, Cause> {
        let items: Vec<Item<'_>> = section::records(records)
            .map(|record| item(record.map_err(|e| bad_section(&e))?))
            .collect::<Result<_, _>>()?;
        if items.iter().all(|item| item.host.is_none()) {
            return Ok(HostNeeds::default());
        }
        let mut functions: HashMap<&str, &Item<'_>> = HashMap::new();
        let mut hooks: HashMap<&str, Vec<&Item<'_>>> = HashMap::new();
        for item in items.iter().filter(|i| i.kind != Kind::Test) {
            functions.insert(item.path, item);
            if item.kind == Kind::Hook {
                hooks.entry(module_of(item.path)).or_default().push(item);
            }
        }
        let mut all = HashMap::new();
        for test in items.iter().filter(|item| item.kind == Kind::Test) {
            let ends = test.path.match_indices("::").map(|(end, _)| end);
            let around = ends.filter_map(|end| hooks.get(&test.path[..end]));
            let mut reached: Vec<&Item<'_>> = around.flatten().copied().collect();
            reached.push(test);
            let names = hosts(reached, &functions)?;
            if !names.is_empty() {
                all.insert(without_crate(test.path).to_owned(), names);
            }
        }
        Ok(HostNeeds(all))
    }

    /// The host fixtures that the test of this path, without its crate, asks for.
    pub fn by(&self, path: &str) -> &[String] {
        self.0.get(path).map_or(&[], Vec::as_slice)
    }
}

/// The host fixtures that these need, directly or not.
fn hosts<'a>(
    mut reached: Vec<&'a Item<'a>>,
    functions: &HashMap<&str, &'a Item<'a>>,
) -> Result<Vec<String>, Cause> {
    let test = reached.last().map_or("", |test| test.path);
    let mut seen: HashSet<&str> = reached.iter().map(|item| item.path).collect();
    let mut names: Vec<String> = Vec::new();
    let mut next = 0;
    while let Some(item) = reached.get(next).copied() {
        next += 1;
        if let Some(host) = item.host
            && names.iter().all(|name| name != host)
        {
            names.push(host.to_owned());
        }
        // one that is not listed comes from nowhere, and so from no host
        let needed = item
            .needs
            .iter()
            .filter_map(|need| functions.get(need).copied());
        reached.extend(needed.filter(|function| seen.insert(function.path)));
        if reached.len() > MAX_REACHED {
            return Err(lies(format!(
                "`{test}` needs over {MAX_REACHED} fixtures and hooks, directly or not"
            )));
        }
    }
    Ok(names)
}

fn item(fields: section::Fields<'_>) -> Result<Item<'_>, Cause> {
    let mut item = Item {
        kind: fields.kind,
        path: "",
        needs: Vec::new(),
        host: None,
    };
    for field in fields {
        match field.map_err(|e| bad_section(&e))? {
            Value::Text(Tag::Path, path) => item.path = path,
            Value::Text(Tag::Host, name) => item.host = Some(name),
            Value::Text(Tag::Needs, _) if item.needs.len() >= MAX_NEEDS => {
                return Err(too_many(item.path));
            }
            Value::Text(Tag::Needs, path) => item.needs.push(path),
            _ => {}
        }
    }
    Ok(item)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtest_section::{Field, SdkVersion};

    /// A record, with the sections of which a file's is put together.
    fn record(kind: Kind, fields: &[(Tag, &str)]) -> Vec<u8> {
        let length: usize = fields.iter().map(|(_, text)| 5 + text.len()).sum();
        let whole: [u8; 21] =
            section::record(SdkVersion([0, 1, 0]), kind, &[Field::text(Tag::Path, "")]);
        let mut record = whole[..12].to_vec();
        record.extend((length as u32).to_le_bytes());
        for (tag, text) in fields {
            record.push(*tag as u8);
            record.extend((text.len() as u32).to_le_bytes());
            record.extend(text.as_bytes());
        }
        record
    }

    fn needs(records: &[Vec<u8>]) -> HostNeeds {
        HostNeeds::of(&records.concat()).expect("good")
    }

    #[test]
    fn a_test_asks_for_what_its_fixtures_and_the_hooks_around_it_need() {
        let all = needs(&[
            record(
                Kind::Fixture,
                &[(Tag::Path, "c::server"), (Tag::Host, "web")],
            ),
            record(Kind::Fixture, &[(Tag::Path, "c::db"), (Tag::Host, "db")]),
            record(
                Kind::Fixture,
                &[(Tag::Path, "c::client"), (Tag::Needs, "c::server")],
            ),
            record(
                Kind::Hook,
                &[(Tag::Path, "c::a::fill"), (Tag::Needs, "c::db")],
            ),
            record(
                Kind::Test,
                &[(Tag::Path, "c::a::inner::asks"), (Tag::Needs, "c::client")],
            ),
            record(Kind::Test, &[(Tag::Path, "c::a::is_around")]),
            record(Kind::Test, &[(Tag::Path, "c::ab::needs_nothing")]),
            record(
                Kind::Test,
                &[
                    (Tag::Path, "c::needs_what_is_not_there"),
                    (Tag::Needs, "d::x"),
                ],
            ),
        ]);
        assert_eq!(all.by("a::inner::asks"), ["db", "web"]);
        assert_eq!(all.by("a::is_around"), ["db"]);
        for test in [
            "ab::needs_nothing",
            "needs_what_is_not_there",
            "c::a::is_around",
        ] {
            assert!(all.by(test).is_empty(), "{test}");
        }
    }

    #[test]
    fn circles_end_and_what_is_too_much_or_damaged_is_an_error() {
        let circle = needs(&[
            record(Kind::Fixture, &[(Tag::Path, "c::a"), (Tag::Needs, "c::b")]),
            record(
                Kind::Fixture,
                &[(Tag::Path, "c::b"), (Tag::Needs, "c::a"), (Tag::Host, "h")],
            ),
            record(Kind::Test, &[(Tag::Path, "c::t"), (Tag::Needs, "c::a")]),
        ]);
        assert_eq!(circle.by("t"), ["h"]);
        let chain: Vec<Vec<u8>> = (0..300)
            .map(|i| {
                let (path, need) = (format!("c::f{i}"), format!("c::f{}", i + 1));
                record(
                    Kind::Fixture,
                    &[(Tag::Path, &path), (Tag::Needs, &need), (Tag::Host, "h")],
                )
            })
            .chain([record(
                Kind::Test,
                &[(Tag::Path, "c::t"), (Tag::Needs, "c::f0")],
            )])
            .collect();
        let why = HostNeeds::of(&chain.concat()).expect_err("too many");
        assert!(why.message.contains("over 256"), "{}", why.message);
        let cut = &chain[0][..20];
        let why = HostNeeds::of(cut).expect_err("damaged");
        assert!(why.message.contains("is damaged"), "{}", why.message);
    }
}
