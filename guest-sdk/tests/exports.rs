//! What a guest's files hold for the runner: built for WASI 0.1, each record has the
//! exports that the contract in `wasmtest-section` gives it, and no others are there.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use wasmparser::{ExternalKind, FuncType, Parser, Payload, TypeRef, ValType};
use wasmtest_section::{
    DROP_PREFIX, EXPORT_PREFIX, Kind, RECEIVE_PREFIX, TEARDOWN_PREFIX, Tag, VALUE, Value, records,
};

/// A record, with its texts and numbers by their tags, as they are written.
struct Record {
    kind: Kind,
    fields: Vec<(Tag, String)>,
}

impl Record {
    fn all(&self, tag: Tag) -> Vec<&str> {
        let of_tag = self.fields.iter().filter(|(t, _)| *t == tag);
        of_tag.map(|(_, text)| text.as_str()).collect()
    }

    fn one(&self, tag: Tag) -> Option<&str> {
        let all = self.all(tag);
        assert!(all.len() < 2, "{tag:?} is there twice: {all:?}");
        all.first().copied()
    }

    fn path(&self) -> &str {
        self.one(Tag::Path).expect("each record has one")
    }
}

/// What a file holds: records by their paths, functions that are exported for the
/// runner, and whether there is the address of values.
struct File {
    records: BTreeMap<String, Record>,
    functions: BTreeMap<String, FuncType>,
    value: bool,
}

/// The files of the guest's tests, by the names of their crates.
fn built() -> BTreeMap<String, PathBuf> {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/guests");
    let output = Command::new(env!("CARGO"))
        .args(["test", "--no-run", "--quiet", "--package", "suites"])
        .args(["--target", "wasm32-wasip1", "--message-format", "json"])
        .current_dir(guests)
        // a target folder of its own, as if this were not below cargo
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let lines = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let messages = lines.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let file = message["executable"].as_str()?;
        Some((message["target"]["name"].as_str()?.to_owned(), file.into()))
    });
    messages.collect()
}

fn read(file: &Path) -> File {
    let bytes = std::fs::read(file).expect("it was built");
    let (mut types, mut functions) = (Vec::new(), Vec::new());
    let (mut exported, mut value, mut section) = (BTreeMap::new(), false, Vec::new());
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload.expect("it is valid") {
            Payload::TypeSection(reader) => {
                types = reader
                    .into_iter_err_on_gc_types()
                    .map(|t| t.expect("a type"))
                    .collect();
            }
            Payload::ImportSection(reader) => {
                for import in reader.into_imports() {
                    if let TypeRef::Func(of) = import.expect("an import").ty {
                        functions.push(of);
                    }
                }
            }
            Payload::FunctionSection(reader) => {
                functions.extend(reader.into_iter().map(|f| f.expect("a function")));
            }
            Payload::ExportSection(reader) => {
                for export in reader {
                    let export = export.expect("an export");
                    match export.kind {
                        ExternalKind::Func if export.name.starts_with("wasmtest") => {
                            let of = functions[export.index as usize] as usize;
                            exported.insert(export.name.to_owned(), types[of].clone());
                        }
                        ExternalKind::Global => value |= export.name == VALUE,
                        _ => {}
                    }
                }
            }
            Payload::CustomSection(reader) if reader.name() == wasmtest_section::NAME => {
                section.extend_from_slice(reader.data());
            }
            _ => {}
        }
    }
    let mut all = BTreeMap::new();
    for record in records(&section) {
        let record = record.expect("whole");
        let kind = record.kind;
        let fields = record.map(|field| match field.expect("good") {
            Value::Text(tag, text) => (tag, text.to_owned()),
            Value::Number(tag, number) => (tag, number.to_string()),
        });
        let record = Record {
            kind,
            fields: fields.collect(),
        };
        let before = all.insert(record.path().to_owned(), record);
        assert!(before.is_none(), "two records of one path");
    }
    File {
        records: all,
        functions: exported,
        value,
    }
}

/// The exports that the contract gives a record.
fn expected(record: &Record) -> Vec<(String, FuncType)> {
    let runs = FuncType::new([], [ValType::I32]);
    let takes = FuncType::new([ValType::I32], [ValType::I32]);
    let export = |prefix: &str, of: &FuncType| (format!("{prefix}{}", record.path()), of.clone());
    let mut all = Vec::new();
    if record.kind != Kind::Suite && record.one(Tag::Host).is_none() {
        all.push(export(EXPORT_PREFIX, &runs));
    }
    if record.one(Tag::Travels).is_some() {
        all.push(export(RECEIVE_PREFIX, &takes));
    }
    if record.one(Tag::TearsDown).is_some() {
        all.push(export(TEARDOWN_PREFIX, &runs));
    }
    if record.one(Tag::Drops).is_some() {
        all.push(export(DROP_PREFIX, &runs));
    }
    all
}

#[test]
fn each_record_has_the_exports_that_are_its_own_and_what_it_needs_is_there() {
    let built = built();
    let files: BTreeSet<&str> = built.keys().map(String::as_str).collect();
    assert_eq!(files, ["from_outside", "suites"].into());
    for (name, file) in &built {
        let file = read(file);
        let expected: BTreeMap<_, _> = file.records.values().flat_map(expected).collect();
        assert_eq!(expected, file.functions, "{name}");
        assert!(file.value, "{name}");
        for record in file.records.values() {
            for need in record.all(Tag::Needs) {
                let needed = file.records.get(need);
                let needed = needed.unwrap_or_else(|| panic!("{name}: {need} has no record"));
                let kinds = [Kind::Fixture, Kind::Hook];
                assert!(kinds.contains(&needed.kind), "{need}");
            }
            let source = record.one(Tag::File).expect("each has one");
            assert!(source.ends_with(".rs"), "{source}");
            assert_ne!(record.one(Tag::Line), Some("0"));
        }
    }
}

#[test]
fn records_say_what_stands_in_the_brackets() {
    let built = built();
    let file = read(&built["suites"]);
    let said = |path: &str, tag: Tag| {
        let record = file.records.get(&format!("suites::{path}"));
        let record = record.unwrap_or_else(|| panic!("no record of {path}"));
        record.all(tag)
    };
    let kind = |path: &str| file.records[&format!("suites::{path}")].kind;

    assert_eq!(kind("marks::split"), Kind::Suite);
    assert_eq!(said("marks::split", Tag::Distribution), ["split"]);
    assert_eq!(said("marks::unit", Tag::Distribution), [""; 0]);
    // the module's mark is the setup's
    assert_eq!(kind("marks::shared::account"), Kind::Hook);
    assert_eq!(
        said("marks::shared::account", Tag::Distribution),
        ["shared"]
    );
    assert_eq!(said("marks::shared::account", Tag::Travels), [""]);
    assert_eq!(
        said("marks::shared::account", Tag::Needs),
        ["suites::fixtures::config"]
    );
    assert_eq!(
        said("marks::shared::end", Tag::Needs),
        ["suites::marks::shared::account"]
    );
    assert_eq!(said("marks::shared::end", Tag::Role), ["teardown"]);
    assert_eq!(said("before_each", Tag::Role), ["before"]);
    assert_eq!(said("after_each", Tag::Role), ["after"]);
    assert_eq!(said("of_the_crate::begin", Tag::Role), ["setup"]);
    assert_eq!(said("of_the_crate::begin", Tag::Distribution), ["split"]);

    assert_eq!(said("fixtures::db", Tag::Distribution), ["split"]);
    assert_eq!(said("fixtures::db", Tag::TearsDown), [""]);
    assert_eq!(said("fixtures::db", Tag::Drops), ["1"]);
    assert_eq!(said("fixtures::counter", Tag::Drops), ["0"]);
    assert_eq!(said("fixtures::counter", Tag::Distribution), [""; 0]);
    assert_eq!(
        said("fixtures::db", Tag::Description),
        ["One for each instance that needs it."]
    );
    assert_eq!(said("fixtures::now", Tag::Fresh), [""]);
    assert_eq!(said("fixtures::server", Tag::Host), ["server"]);
    assert_eq!(said("fixtures::server", Tag::Distribution), ["shared"]);

    let orders = ["empty", "one", "pair"].map(|case| {
        let case = format!("of_the_crate::measures::{case}");
        assert_eq!(said(&case, Tag::Label), ["cases"]);
        said(&case, Tag::Order).concat()
    });
    assert_eq!(orders, ["0", "1", "2"]);
    assert_eq!(
        said("of_the_crate::reads_fixtures", Tag::Needs),
        ["config", "db", "total"].map(|name| format!("suites::fixtures::{name}"))
    );
    assert_eq!(
        said("of_the_crate::panics::without", Tag::ShouldPanic),
        ["right words"]
    );
}
