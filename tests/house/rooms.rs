//! Rooms, what they name of each other, and the table that says what they may.
//!
//! Takes the text of all files of a crate, and of the page with the table; gives what differs,
//! in words.

use super::source::{By, Mention, Source, read};
use std::collections::{BTreeMap, BTreeSet};

/// A table's first line.
const HEAD: &str = "| room | may know |";

/// What each room may know.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Table(BTreeMap<String, BTreeSet<String>>);

impl Table {
    /// The one on a page.
    pub fn of(page: &str) -> Result<Table, String> {
        let mut lines = page.lines().skip_while(|line| line.trim() != HEAD).skip(1);
        if !lines.next().is_some_and(|line| line.starts_with("|---")) {
            return Err(format!(
                "ARCHITECTURE.md has no table that begins with `{HEAD}`"
            ));
        }
        let mut table = Table::default();
        for line in lines.take_while(|line| line.starts_with('|')) {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [room, known] = cells[..] else {
                return Err(format!("the row `{line}` has not two cells"));
            };
            let name = |cell: &str| cell.trim().trim_matches('`').to_owned();
            let known = known.split(',').map(name).filter(|room| !room.is_empty());
            if table.0.insert(name(room), known.collect()).is_some() {
                return Err(format!("`{}` has two rows", name(room)));
            }
        }
        Ok(table)
    }

    /// Rooms that know each other, by way of others or not.
    fn circle(&self) -> Option<Vec<String>> {
        let knows = |room: &str| self.0.get(room).into_iter().flatten().cloned().collect();
        let rooms: Vec<String> = self.0.keys().cloned().collect();
        circles(&rooms, &knows).into_iter().next()
    }
}

/// Groups that lead to each other.
fn circles(all: &[String], next: &dyn Fn(&str) -> Vec<String>) -> Vec<Vec<String>> {
    let mut reached: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for from in all {
        let mut seen = BTreeSet::new();
        let mut to_see = next(from);
        while let Some(one) = to_see.pop() {
            if seen.insert(one.clone()) {
                to_see.extend(next(&one));
            }
        }
        reached.insert(from, seen);
    }
    let leads = |from: &str, to: &str| reached.get(from).is_some_and(|seen| seen.contains(to));
    let mut groups: Vec<Vec<String>> = Vec::new();
    for one in all.iter().filter(|one| leads(one, one)) {
        let of_it = |group: &&mut Vec<String>| leads(&group[0], one) && leads(one, &group[0]);
        match groups.iter_mut().find(of_it) {
            Some(group) => group.push(one.clone()),
            None => groups.push(vec![one.clone()]),
        }
    }
    groups
}

/// A file of the crate.
struct File {
    place: String,
    module: Vec<String>,
    source: Source,
}

/// A name is taken from a file that took it from another ...: no more often than that.
const MOST_PASSED: usize = 8;

/// All files of the crate, but those for tests.
pub struct House {
    files: Vec<File>,
}

/// The programs: they know the library by its name.
const PROGRAMS: &str = "bin";

/// The module that a file is, from the crate's root.
fn module(place: &str) -> Vec<String> {
    let stem = place.strip_suffix(".rs").unwrap_or(place);
    let mut module: Vec<String> = stem.split('/').map(str::to_owned).collect();
    match module.last().map(String::as_str) {
        Some("mod" | "lib") => {
            module.pop();
        }
        Some("main") if module.len() == 1 => module[0] = PROGRAMS.to_owned(),
        _ => {}
    }
    module
}

impl House {
    /// Of files by their places below the crate's root.
    pub fn new(texts: &[(String, String)], crate_name: &str) -> House {
        let mut files: Vec<File> = texts
            .iter()
            .map(|(place, text)| {
                let module = module(place);
                let source = read(text, &module, crate_name);
                File {
                    place: place.clone(),
                    module,
                    source,
                }
            })
            .collect();
        let for_tests: Vec<Vec<String>> = files
            .iter()
            .flat_map(|file| {
                let of =
                    |name: &String| [file.module.as_slice(), std::slice::from_ref(name)].concat();
                file.source.for_tests.iter().map(of)
            })
            .collect();
        files.retain(|file| !for_tests.iter().any(|t| file.module.starts_with(t)));
        House { files }
    }

    fn rooms(&self) -> BTreeSet<&str> {
        let rooms = self.files.iter().filter_map(|file| file.module.first());
        rooms.map(String::as_str).collect()
    }

    /// Each import of another room: who, whom, where.
    fn imports(&self) -> impl Iterator<Item = (&str, &str, &File, &Mention)> {
        self.files.iter().flat_map(|file| {
            let from = file.module.first().map_or("", String::as_str);
            let mentions = file.source.mentions.iter();
            mentions.filter_map(move |mention| {
                let to = mention.path.first()?;
                (!from.is_empty() && to != from).then_some((from, to.as_str(), file, mention))
            })
        })
    }

    /// What differs from the table.
    pub fn problems(&self, table: &Table) -> Vec<String> {
        let rooms = self.rooms();
        let mut problems = Vec::new();
        for room in &rooms {
            if !table.0.contains_key(*room) {
                problems.push(format!("the room `{room}` has no row in the table"));
            }
        }
        let mut used: BTreeSet<(&str, &str)> = BTreeSet::new();
        for (from, to, file, mention) in self.imports() {
            let path = mention.path.join("::");
            let at = format!("host/src/{}:{}", file.place, mention.line);
            if !rooms.contains(to) {
                problems.push(format!("{at} names `{path}`, and `{to}` is no room"));
                continue;
            }
            used.insert((from, to));
            let row = table.0.get(from);
            if row.is_some_and(|row| !row.contains(to)) {
                problems.push(format!(
                    "{at} names `{path}`, which the row of `{from}` does not allow"
                ));
            }
        }
        for (room, known) in &table.0 {
            if !rooms.contains(room.as_str()) {
                problems.push(format!("the row of `{room}` is of no room that is there"));
                continue;
            }
            for to in known {
                if !rooms.contains(to.as_str()) {
                    problems.push(format!(
                        "the row of `{room}` allows `{to}`, which is no room"
                    ));
                } else if !used.contains(&(room, to)) {
                    problems.push(format!(
                        "the row of `{room}` allows `{to}`, of which it names nothing"
                    ));
                }
            }
        }
        if let Some(circle) = table.circle() {
            let circle = circle.join("`, `");
            problems.push(format!(
                "these rooms may know each other in a circle: `{circle}`"
            ));
        }
        problems
    }

    /// Files of one room that name each other, by way of others or not. What a file and those
    /// below it in its folder name of each other does not count: it declares them, and shows
    /// what lies in them, and they extend what it defines.
    pub fn circles(&self) -> Vec<Vec<String>> {
        let mut named: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for file in &self.files {
            let is_beside = |other: &&File| {
                let (one, other) = (&file.module, &other.module);
                one.first() == other.first() && !one.starts_with(other) && !other.starts_with(one)
            };
            let mentions = file.source.mentions.iter();
            let targets = mentions.filter_map(|mention| self.defines(&mention.path, 0));
            let targets = targets.filter(is_beside).map(|target| target.place.clone());
            named.insert(&file.place, targets.collect());
        }
        let next = |file: &str| named.get(file).into_iter().flatten().cloned().collect();
        let all: Vec<String> = self.files.iter().map(|f| f.place.clone()).collect();
        circles(&all, &next)
    }

    /// The file in which lies what a path names, past those that only take it from there.
    fn defines(&self, path: &[String], passed: usize) -> Option<&File> {
        let is_of = |file: &&File| path.starts_with(&file.module);
        let file = self
            .files
            .iter()
            .filter(is_of)
            .max_by_key(|file| file.module.len())?;
        let (name, rest) = match path[file.module.len()..].split_first() {
            Some(further) if passed < MOST_PASSED => further,
            _ => return Some(file),
        };
        let taken =
            file.source.mentions.iter().find(
                |mention| matches!(&mention.by, By::Use { name: taken, .. } if taken == name),
            );
        match taken {
            Some(taken) => self.defines(&[&taken.path, rest].concat(), passed + 1),
            None => Some(file),
        }
    }

    /// What the table would be, the lowest rooms first.
    pub fn table(&self) -> String {
        let mut known: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for room in self.rooms() {
            known.insert(room, BTreeSet::new());
        }
        for (from, to, ..) in self.imports() {
            known.entry(from).or_default().insert(to);
        }
        let mut lines = vec![HEAD.to_owned(), "|---|---|".to_owned()];
        let mut done: Vec<&str> = Vec::new();
        while done.len() < known.len() {
            let is_next = |(room, known): &(&&str, &BTreeSet<&str>)| {
                !done.contains(*room) && known.iter().all(|to| done.contains(to))
            };
            let left = |(room, _): &(&&str, &BTreeSet<&str>)| !done.contains(*room);
            // where there is a circle, any of those left
            let next = known
                .iter()
                .find(is_next)
                .or_else(|| known.iter().find(left));
            let Some((room, of)) = next else { break };
            // as they stand above, so that a row is read like the table
            let of = done
                .iter()
                .filter(|d| of.contains(**d))
                .copied()
                .chain(of.iter().filter(|to| !done.contains(*to)).copied());
            let of: Vec<&str> = of.collect();
            lines.push(format!("| {room} | {} |", of.join(", ")).replace("|  |", "| |"));
            done.push(room);
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [(&str, &str); 6] = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("main.rs", "fn main() { the_host::c::run(); }"),
        ("a.rs", "pub struct A;"),
        ("b/mod.rs", "mod inner;\n#[cfg(test)]\nmod tests;"),
        (
            "b/inner.rs",
            "use super::super::a::A;\n#[cfg(test)]\nuse crate::c;",
        ),
        ("b/tests.rs", "use crate::c::run;"),
    ];

    fn house(more: &[(&str, &str)]) -> House {
        let files = FILES.iter().chain(more);
        let files: Vec<(String, String)> = files
            .map(|(place, text)| ((*place).to_owned(), (*text).to_owned()))
            .collect();
        House::new(&files, "the_host")
    }

    const C: (&str, &str) = ("c.rs", "use crate::{a::A,\n  b};");

    fn told(more: &[(&str, &str)], rows: &str) -> Vec<String> {
        let page = format!("# A page\n\n{HEAD}\n|---|---|\n{rows}\n\nand so on | a |");
        house(more).problems(&Table::of(&page).expect("it is a table"))
    }

    const ROWS: &str = "| a | |\n| `b` | a |\n| c | `a`, b |\n| bin | c |";

    #[test]
    fn a_house_that_is_as_its_table_says_has_no_problems() {
        assert_eq!(told(&[C], ROWS), Vec::<String>::new());
        let table = house(&[C]).table();
        assert_eq!(
            told(&[C], table.split_once("---|\n").expect("it has rows").1),
            Vec::<String>::new()
        );
    }

    #[test]
    fn an_import_that_is_not_allowed_is_told_with_its_place_and_row() {
        let c = (
            "c.rs",
            "use crate::a::A;\nuse crate::b;\nfn f() { crate::d::g() }",
        );
        let d = ("d.rs", "");
        let rows = ROWS.replace("`a`, b", "a, d") + "\n| d | |";
        assert_eq!(
            told(&[c, d], &rows),
            ["host/src/c.rs:2 names `b`, which the row of `c` does not allow"]
        );
        let up = ("a/up.rs", "\n\nfn f() { super::super::c::run() }");
        assert_eq!(
            told(&[C, up], ROWS),
            ["host/src/a/up.rs:3 names `c::run`, which the row of `a` does not allow"]
        );
    }

    #[test]
    fn rooms_and_rows_that_lack_each_other_are_told() {
        assert_eq!(
            told(&[C], &ROWS.replace("| c | `a`, b |\n", "")),
            ["the room `c` has no row in the table"]
        );
        assert_eq!(
            told(&[C], &format!("{ROWS}\n| gone | |")),
            ["the row of `gone` is of no room that is there"]
        );
        assert_eq!(
            told(&[C], &ROWS.replace("`a`, b", "a, b, gone")),
            ["the row of `c` allows `gone`, which is no room"]
        );
        assert_eq!(
            told(
                &[("c.rs", "use crate::a; use crate::b; use crate::gone;")],
                ROWS
            ),
            ["host/src/c.rs:1 names `gone`, and `gone` is no room"]
        );
    }

    #[test]
    fn what_is_allowed_and_not_used_is_told_and_so_is_a_circle() {
        assert_eq!(
            told(&[C], &ROWS.replace("| bin | c |", "| bin | b, c |")),
            ["the row of `bin` allows `b`, of which it names nothing"]
        );
        let b = ("b/more.rs", "use crate::c;");
        assert_eq!(
            told(&[C, b], &ROWS.replace("`b` | a", "b | a, c")),
            ["these rooms may know each other in a circle: `b`, `c`"]
        );
        let known: Vec<_> = ["a", "b", "c", "d"].map(str::to_owned).into();
        let next = |of: &str| -> Vec<String> {
            let next: &[&str] = match of {
                "a" => &["b"],
                "b" => &["c"],
                "c" => &["a", "d"],
                _ => &["d"],
            };
            next.iter().map(|n| (*n).to_owned()).collect()
        };
        assert_eq!(circles(&known, &next), [vec!["a", "b", "c"], vec!["d"]]);
    }

    #[test]
    fn files_that_name_each_other_are_found_past_those_that_only_show_them() {
        let circle = [
            (
                "d/mod.rs",
                "mod one; mod two; mod three; pub use one::One; use three::Three;\nstruct D;",
            ),
            ("d/one.rs", "use super::two::Two; pub struct One;"),
            ("d/two.rs", "pub struct Two;\nfn f() { super::One; }"),
            // what both have from the file above makes no circle
            (
                "d/three.rs",
                "use super::{D, Three as Own}; pub struct Three;",
            ),
        ];
        assert_eq!(house(&circle).circles(), [vec!["d/one.rs", "d/two.rs"]]);
        let without = [
            circle[0],
            circle[1],
            ("d/two.rs", "pub struct Two;"),
            circle[3],
        ];
        assert!(house(&without).circles().is_empty());
        // by way of a third, and of a glob
        let three = [
            circle[0],
            ("d/one.rs", "use crate::d::two::*;"),
            ("d/two.rs", "use super::three;"),
            (
                "d/three.rs",
                "use super::one::f;\n#[cfg(test)] use super::two;",
            ),
        ];
        assert_eq!(
            house(&three).circles(),
            [vec!["d/one.rs", "d/two.rs", "d/three.rs"]]
        );
    }

    #[test]
    fn a_page_without_a_table_or_with_half_a_one_is_refused() {
        assert!(Table::of("# A page").is_err());
        assert!(Table::of(&format!("{HEAD}\n| a | |")).is_err());
        assert!(Table::of(&format!("{HEAD}\n|---|---|\n| a |")).is_err());
        assert!(Table::of(&format!("{HEAD}\n|---|---|\n| a | |\n| a | |")).is_err());
    }
}
