//! The SDK's harness: tests, suites and fixtures that a file lists in a section and
//! exports one by one.
//!
//! Listed without running anything: [`Found`] collects the section `wasmtest`
//! and the exports of a core module, and believes neither; `module_fixtures` checks how
//! what it lists fits together. A test is called by its export; it passes if that
//! returns 0. Panics that are expected and failures that are expected are judged
//! in `verdict`, from how the call came back. In a component, where they are libtest's,
//! the section says which host fixtures they ask for: `host_needs`.

mod host_needs;
mod module_fixtures;
mod verdict;

pub use host_needs::HostNeeds;
pub use verdict::{NAME, Sdk};

use crate::event::Cause;
use crate::protocol::ListedTest;
use crate::protocol::suites::{
    Distribution, ListedFunction, ListedSuite, ModuleFixtures, Role, without_crate,
};
use crate::text::is_terminal_control;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use wasmparser::{BinaryReaderError, CompositeInnerType, ExternalKind, Payload, TypeRef, ValType};
use wasmtest_section::LONGEST_TIMEOUT;
use wasmtest_section::{
    self as section, DROP_PREFIX, EXPORT_PREFIX, Kind, RECEIVE_PREFIX, TEARDOWN_PREFIX, Tag, Value,
};

/// No honest test has a longer name.
const MAX_NAME: usize = 4 << 10;
/// Nor a longer tag or file name.
const MAX_TEXT: usize = 4 << 10;
/// What is kept of a description, which may be a whole page.
const DESCRIPTION: usize = 4 << 10;
/// Nor more tags.
const MAX_TAGS: usize = 64;
/// Nor does anything need more fixtures.
const MAX_NEEDS: usize = 128;

/// What was seen of the SDK's tests in a core module.
#[derive(Debug, Default)]
pub struct Found {
    section: Vec<u8>,
    /// For each type: whether it is one of those that exports of the SDK's have.
    types: Vec<Type>,
    /// For each function, imported ones first: its type.
    functions: Vec<u32>,
    /// Exported functions whose names begin as the SDK's do.
    exports: HashMap<String, u32>,
}

/// The type of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    /// `() -> i32`: it runs something.
    Runs,
    /// `(i32) -> i32`: it takes a value.
    Receives,
    Other,
}

/// What a file lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Its tests, in the order of their names.
    pub tests: Vec<ListedTest>,
    /// Its suites and fixtures.
    pub module_fixtures: ModuleFixtures,
    /// What tests of its that are libtest's ask of the host.
    pub host_needs: HostNeeds,
}

/// A record that was read.
enum Item {
    Test(Box<ListedTest>),
    Suite(ListedSuite),
    Function(ListedFunction),
}

impl Found {
    /// Looks at one part of a module.
    ///
    /// # Errors
    /// If that part is damaged.
    pub fn look_at(&mut self, payload: &Payload<'_>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::TypeSection(types) => {
                for group in types.clone() {
                    let types = group?.into_types();
                    self.types
                        .extend(types.map(|ty| match &ty.composite_type.inner {
                            CompositeInnerType::Func(f) if f.results() == [ValType::I32] => {
                                match f.params() {
                                    [] => Type::Runs,
                                    [ValType::I32] => Type::Receives,
                                    _ => Type::Other,
                                }
                            }
                            _ => Type::Other,
                        }));
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.clone().into_imports() {
                    if let TypeRef::Func(ty) = import?.ty {
                        self.functions.push(ty);
                    }
                }
            }
            Payload::FunctionSection(functions) => {
                for ty in functions.clone() {
                    self.functions.push(ty?);
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports.clone() {
                    let export = export?;
                    let prefixes = [EXPORT_PREFIX, RECEIVE_PREFIX, TEARDOWN_PREFIX, DROP_PREFIX];
                    if export.kind == ExternalKind::Func
                        && prefixes.iter().any(|p| export.name.starts_with(p))
                    {
                        self.exports.insert(export.name.to_owned(), export.index);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Adds records of a section of the SDK's; gives how many bytes of them there are by now.
    pub fn add(&mut self, records: &[u8]) -> usize {
        self.section.extend_from_slice(records);
        self.section.len()
    }

    /// What a component lists: what its tests ask of the host.
    ///
    /// # Errors
    /// If the section is damaged, of another version, or asks for too much.
    pub fn contents_of_component(&self) -> Result<Contents, Cause> {
        Ok(Contents {
            host_needs: HostNeeds::of(&self.section)?,
            ..Contents::default()
        })
    }

    /// What the file lists.
    ///
    /// # Errors
    /// If the section is damaged, of another version, at odds with the exports or
    /// with itself.
    pub fn contents(&self) -> Result<Contents, Cause> {
        let mut contents = Contents::default();
        let Contents {
            tests,
            module_fixtures,
            ..
        } = &mut contents;
        for record in section::records(&self.section) {
            match self.item(record.map_err(|e| bad_section(&e))?)? {
                Item::Test(test) => tests.push(*test),
                Item::Suite(suite) => module_fixtures.suites.push(suite),
                Item::Function(function) => module_fixtures.functions.push(function),
            }
        }
        // the linker puts records in whatever order it likes
        module_fixtures.suites.sort_by(|a, b| a.path.cmp(&b.path));
        module_fixtures
            .functions
            .sort_by(|a, b| a.path.cmp(&b.path));
        tests.sort_by(|a, b| a.export.cmp(&b.export));
        if let Some(pair) = tests
            .windows(2)
            .find(|pair| pair[0].export == pair[1].export)
        {
            return Err(lies(format!("it lists the test `{}` twice", pair[0].path)));
        }
        // all exports are listed by now, or there are some that are not
        let exported = self.exports.keys();
        let exported = exported.filter(|e| e.starts_with(EXPORT_PREFIX)).count();
        let run = module_fixtures
            .functions
            .iter()
            .filter(|f| f.host.is_none());
        let listed = tests.len() + run.count();
        if listed != exported {
            return Err(Cause::new(format!(
                "it exports {exported} tests and fixtures of the SDK's and lists {listed}: were its custom sections stripped?",
            ))
            .hint("keep the custom section `wasmtest` when the file is stripped"));
        }
        module_fixtures::check(tests, module_fixtures)?;
        module_fixtures::leave_out_what_nobody_needs(tests, module_fixtures);
        // tests of two crates may differ in their crate alone
        let mut paths: HashMap<String, usize> = HashMap::new();
        for test in tests.iter() {
            *paths.entry(test.path.clone()).or_default() += 1;
        }
        for test in tests.iter_mut().filter(|t| paths[&t.path] > 1) {
            name_in_full(test);
        }
        tests.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(contents)
    }

    fn item(&self, fields: section::Fields<'_>) -> Result<Item, Cause> {
        let kind = fields.kind;
        let mut test = ListedTest::named("", NAME);
        let mut function = ListedFunction {
            path: String::new(),
            role: Role::Fixture,
            distribution: None,
            needs: Vec::new(),
            travels: false,
            tears_down: false,
            drops: false,
            fresh: false,
            host: None,
        };
        let mut full_path = "";
        let mut seen: Vec<Tag> = Vec::new();
        for field in fields {
            let field = field.map_err(|e| bad_section(&e))?;
            let (Value::Text(tag, _) | Value::Number(tag, _)) = field;
            if !matches!(tag, Tag::Label | Tag::Needs) && seen.contains(&tag) {
                let what = words_for(tag);
                return Err(lies(format!("it says twice of `{full_path}` {what}")));
            }
            seen.push(tag);
            match field {
                Value::Text(Tag::File | Tag::Label | Tag::Needs | Tag::Host, text)
                    if text.len() > MAX_TEXT =>
                {
                    return Err(lies(format!("it lists a text of {} bytes", text.len())));
                }
                Value::Text(Tag::Path, path) => full_path = path,
                Value::Text(Tag::File, file) => test.file = Some(file.to_owned()),
                Value::Number(Tag::Line, line) if line > u64::from(u32::MAX) => {
                    return Err(lies(format!("it lists a test in line {line}")));
                }
                Value::Number(Tag::Line, line) => test.line = Some(line),
                Value::Text(Tag::Label, "") => {
                    return Err(lies("it lists a tag without a name".to_owned()));
                }
                Value::Text(Tag::Label, _) if test.tags.len() >= MAX_TAGS => {
                    return Err(lies(format!("it lists a test with over {MAX_TAGS} tags")));
                }
                Value::Number(tag @ (Tag::Timeout | Tag::MaxMemory), 0) => {
                    let of = match tag {
                        Tag::Timeout => "time",
                        _ => "memory",
                    };
                    return Err(lies(format!("it lists a test whose {of} limit is 0")));
                }
                Value::Text(Tag::Ignored, reason) => test.ignored = Some(reason.to_owned()),
                Value::Text(Tag::ShouldPanic, text) => test.should_panic = Some(text.to_owned()),
                Value::Text(Tag::Todo, reason) => test.todo = Some(reason.to_owned()),
                Value::Text(Tag::Label, tag) => test.tags.push(tag.to_owned()),
                Value::Text(Tag::Description, text) => {
                    let end = text.floor_char_boundary(DESCRIPTION);
                    test.description = Some(text[..end].to_owned());
                }
                Value::Number(Tag::Timeout, ms) => test.timeout = Some(Duration::from_millis(ms)),
                Value::Number(Tag::MaxMemory, bytes) => test.max_memory = Some(bytes),
                Value::Number(Tag::Order, order) => test.case = order,
                Value::Text(Tag::Needs, _) if function.needs.len() >= MAX_NEEDS => {
                    return Err(too_many(full_path));
                }
                Value::Text(Tag::Needs, path) => function.needs.push(path.to_owned()),
                Value::Text(Tag::Distribution, name) => {
                    let known = Distribution::of(name);
                    let unknown = || lies(format!("`{full_path}` is distributed as {name:?}"));
                    function.distribution = Some(known.ok_or_else(unknown)?);
                }
                Value::Text(Tag::Role, role) => {
                    function.role = match role {
                        "setup" => Role::Setup,
                        "teardown" => Role::Teardown,
                        "before" => Role::Before,
                        "after" => Role::After,
                        _ => return Err(lies(format!("`{full_path}` is a hook {role:?}"))),
                    }
                }
                Value::Text(Tag::Travels, _) => function.travels = true,
                Value::Text(Tag::TearsDown, _) => function.tears_down = true,
                Value::Number(Tag::Drops, does) => function.drops = does != 0,
                Value::Text(Tag::Fresh, _) => function.fresh = true,
                Value::Text(Tag::Host, name) => function.host = Some(name.to_owned()),
                _ => {}
            }
        }
        self.check_names(full_path, &test, &function)?;
        Ok(match kind {
            Kind::Test => {
                self.check_export(EXPORT_PREFIX, full_path, Type::Runs)?;
                // as libtest names tests: without the crate
                test.path = without_crate(full_path).to_owned();
                test.export = Some(format!("{EXPORT_PREFIX}{full_path}"));
                test.needs = function.needs;
                Item::Test(Box::new(test))
            }
            Kind::Suite => Item::Suite(ListedSuite {
                path: full_path.to_owned(),
                distribution: function.distribution,
            }),
            Kind::Fixture | Kind::Hook => {
                if (kind == Kind::Hook) != (function.role != Role::Fixture) {
                    return Err(lies(format!("`{full_path}` is a hook without a role")));
                }
                if function.host.is_none() {
                    self.check_export(EXPORT_PREFIX, full_path, Type::Runs)?;
                }
                if function.travels || function.host.is_some() {
                    self.check_export(RECEIVE_PREFIX, full_path, Type::Receives)?;
                }
                if function.tears_down {
                    self.check_export(TEARDOWN_PREFIX, full_path, Type::Runs)?;
                }
                if function.drops {
                    self.check_export(DROP_PREFIX, full_path, Type::Runs)?;
                }
                function.path = full_path.to_owned();
                Item::Function(function)
            }
            _ => return Err(lies(format!("`{full_path}` is of an unknown kind"))),
        })
    }

    /// Nothing that a person will see is longer or more harmful than it may be.
    fn check_names(
        &self,
        full_path: &str,
        test: &ListedTest,
        function: &ListedFunction,
    ) -> Result<(), Cause> {
        if full_path.is_empty() || full_path.len() > MAX_NAME {
            return Err(lies(format!(
                "it lists a test whose name is {} bytes long",
                full_path.len()
            )));
        }
        if full_path.ends_with("::") {
            return Err(lies(format!(
                "it lists a test without a name of its own: {full_path:?}"
            )));
        }
        let harmful = |c: char| is_terminal_control(c) || c.is_control();
        if full_path.contains(harmful) {
            return Err(lies(format!(
                "it lists a test whose name holds control characters: {full_path:?}"
            )));
        }
        if test.should_panic.is_some() && test.todo.is_some() {
            return Err(lies(format!(
                "`{full_path}` should panic and is expected to fail, which cannot both be"
            )));
        }
        // whatever else there is of texts is made harmless where it is shown
        let mut texts = test
            .file
            .as_deref()
            .into_iter()
            .chain(test.tags.iter().map(String::as_str))
            .chain(function.needs.iter().map(String::as_str))
            .chain(function.host.as_deref());
        if let Some(text) = texts.find(|t| t.contains(harmful)) {
            return Err(lies(format!(
                "it lists a text with control characters: {text:?}"
            )));
        }
        if test.timeout.is_some_and(|t| t > LONGEST_TIMEOUT) {
            return Err(lies(format!(
                "the test `{full_path}` sets itself a limit of more than a day"
            )));
        }
        Ok(())
    }

    fn check_export(&self, prefix: &str, path: &str, wanted: Type) -> Result<(), Cause> {
        let name = format!("{prefix}{path}");
        let Some(export) = self.exports.get(&name) else {
            return Err(lies(format!(
                "it lists `{path}` and does not export it (`{name}`)"
            )));
        };
        let found = self
            .functions
            .get(*export as usize)
            .and_then(|ty| self.types.get(*ty as usize));
        if found != Some(&wanted) {
            let ty = match wanted {
                Type::Receives => "(i32) -> i32",
                Type::Runs | Type::Other => "() -> i32",
            };
            return Err(lies(format!(
                "its export `{name}` has another type than `{ty}`"
            )));
        }
        Ok(())
    }
}

/// Gives a test its path with the crate's name in front.
fn name_in_full(test: &mut ListedTest) {
    let export = test.export.as_deref();
    if let Some(full) = export.and_then(|e| e.strip_prefix(EXPORT_PREFIX)) {
        test.path = full.to_owned();
    }
}

/// A file's own libtest tests keep their names; a test of the SDK's that comes from
/// a library in it and has the same one is told apart by its crate.
pub fn tell_apart(sdk: &mut [ListedTest], libtest: &[ListedTest]) {
    if sdk.is_empty() {
        return;
    }
    let taken: HashSet<&str> = libtest.iter().map(|t| t.path.as_str()).collect();
    for test in sdk.iter_mut().filter(|t| taken.contains(t.path.as_str())) {
        name_in_full(test);
    }
}
/// What a record says with this, in words for people.
fn words_for(tag: Tag) -> &'static str {
    match tag {
        Tag::Path => "what its path is",
        Tag::File => "which file it is in",
        Tag::Line => "which line it is in",
        Tag::Ignored => "that it is ignored",
        Tag::ShouldPanic => "that it should panic",
        Tag::Todo => "that it is expected to fail",
        Tag::Label => "which tag it has",
        Tag::Timeout => "what its time limit is",
        Tag::MaxMemory => "what its memory limit is",
        Tag::Description => "what its description is",
        Tag::Order => "which place it has among the cases",
        Tag::Distribution => "what its mark is (`unit`, `split`, `shared`, `serial`)",
        Tag::Needs => "which fixture it needs",
        Tag::Role => "what kind of hook it is",
        Tag::Travels => "that its value travels",
        Tag::TearsDown => "that it has a teardown",
        Tag::Fresh => "that it is `fresh`",
        Tag::Host => "which host fixture it stands for",
        _ => "what it can say but once",
    }
}

fn bad_section(error: &section::Error) -> Cause {
    const HINT: &str = "use a wasmtest and a wasmtest-sdk of the same version";
    let ours = env!("CARGO_PKG_VERSION");
    match error {
        section::Error::Version { found, sdk } => Cause::new(format!(
            "its tests are listed by wasmtest-sdk {sdk} in format {found}, and this wasmtest {ours} reads format {}",
            section::VERSION
        ))
        .hint(HINT),
        section::Error::Kind { sdk, .. } => Cause::new(format!(
            "wasmtest-sdk {sdk} lists something in it that this wasmtest {ours} does not know"
        ))
        .hint(HINT),
        error => lies(error.to_string()),
    }
}

/// A test, a fixture or a hook that needs more fixtures than are set up for anybody.
fn too_many(path: &str) -> Cause {
    Cause::new(format!(
        "`{path}` needs over {MAX_NEEDS} fixtures, directly or not"
    ))
    .hint("a fixture can give several values together")
}

fn lies(what: String) -> Cause {
    Cause::new(format!("its list of tests cannot be used: {what}")).hint("build it again")
}
