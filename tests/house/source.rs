//! What a Rust file names of others: a reading of its tokens, no more.
//!
//! Takes a file's text and the place of its module; gives the paths that lead elsewhere, each
//! from the crate's root, with their lines. Comments, literals and what is compiled for tests
//! alone are left out. It knows no macros: what they make is not seen.

/// A path that a file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    pub line: usize,
    /// From the crate's root; the last is `*` where all is taken.
    pub path: Vec<String>,
    pub by: By,
}

/// How it is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// In a path of its own.
    Path,
    /// In a `use`, under this name; whether others may take it from here.
    Use { name: String, shown: bool },
}

/// A file, read.
#[derive(Debug, Default)]
pub struct Source {
    pub mentions: Vec<Mention>,
    /// The modules that it declares, but those for tests.
    pub declares: Vec<String>,
    /// Those that are compiled for tests alone.
    pub for_tests: Vec<String>,
}

/// Reads a file that is this module, from the crate's root; `crate_name` is what else than
/// `crate` the root is called.
pub fn read(text: &str, module: &[String], crate_name: &str) -> Source {
    let mut source = Source::default();
    let tokens = without_tests(tokens(text), &mut source.for_tests);
    let modules = tokens.windows(2).filter(|two| two[0].is("mod"));
    source.declares = modules.map(|two| two[1].text.clone()).collect();
    let mut reader = Reader {
        tokens: &tokens,
        at: 0,
        module: module.to_vec(),
        crate_name,
        children: source.declares.clone(),
        mentions: Vec::new(),
    };
    reader.file();
    source.mentions = reader.mentions;
    source
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    /// A word, `::`, or one sign; a literal is `"`, a lifetime `'`.
    text: String,
    line: usize,
}

impl Token {
    fn is(&self, text: &str) -> bool {
        self.text == text
    }

    fn is_word(&self) -> bool {
        self.text
            .starts_with(|c: char| c.is_alphanumeric() || c == '_')
    }
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let rest = &chars[at..];
        let (length, token) = match rest {
            ['/', '/', ..] => (until(rest, &['\n']), None),
            ['/', '*', ..] => (block_comment(rest), None),
            ['"', ..] | ['b' | 'c', '"', ..] => (string(rest), Some("\"".to_owned())),
            ['r' | 'b' | 'c', ..] if raw_string(rest).is_some() => {
                (raw_string(rest).unwrap_or(1), Some("\"".to_owned()))
            }
            ['\'', '\\', ..] => (3 + until(&rest[3..], &['\'']), Some("\"".to_owned())),
            ['\'', _, '\'', ..] => (3, Some("\"".to_owned())),
            ['\'', ..] => (1, Some("'".to_owned())),
            [':', ':', ..] => (2, Some("::".to_owned())),
            [c, ..] if is_of_word(*c) => {
                let length = rest.iter().take_while(|c| is_of_word(**c)).count();
                (length, Some(rest[..length].iter().collect()))
            }
            [c, ..] if c.is_whitespace() => (1, None),
            [c, ..] => (1, Some(c.to_string())),
            [] => break,
        };
        let length = length.clamp(1, rest.len());
        tokens.extend(token.map(|text| Token { text, line }));
        line += rest[..length].iter().filter(|c| **c == '\n').count();
        at += length;
    }
    tokens
}

fn until(chars: &[char], end: &[char]) -> usize {
    let found = chars.windows(end.len()).position(|w| w == end);
    found.map_or(chars.len(), |at| at + end.len())
}

fn block_comment(chars: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < chars.len() {
        match &chars[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(chars: &[char]) -> usize {
    let mut at = 1 + usize::from(chars[0] != '"');
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    at
}

fn raw_string(chars: &[char]) -> Option<usize> {
    let letters = chars.iter().take_while(|c| "rbc".contains(**c)).count();
    let hashes = chars[letters..].iter().take_while(|c| **c == '#').count();
    let is_raw = chars[..letters].contains(&'r') && letters <= 2;
    let begin = letters + hashes;
    if !is_raw || chars.get(begin) != Some(&'"') {
        return None;
    }
    let mut end = vec!['"'];
    end.resize(1 + hashes, '#');
    Some(begin + 1 + until(&chars[begin + 1..], &end))
}

/// What begins an item, which ends with its block or a semicolon.
const ITEMS: [&str; 14] = [
    "use", "mod", "fn", "pub", "impl", "struct", "enum", "trait", "const", "static", "type",
    "unsafe", "async", "extern",
];

/// Leaves out what follows `#[cfg(test)]`, and takes note of the modules among it.
fn without_tests(tokens: Vec<Token>, for_tests: &mut Vec<String>) -> Vec<Token> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut left = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let marked = tokens[at..].iter().zip(MARK).filter(|(t, m)| t.is(m));
        if marked.count() < MARK.len() {
            left.push(tokens[at].clone());
            at += 1;
            continue;
        }
        at += MARK.len();
        while tokens.get(at).is_some_and(|t| t.is("#")) {
            at += 1 + group(&tokens[at + 1..]);
        }
        let begin = at;
        let item = tokens
            .get(at)
            .is_some_and(|t| ITEMS.iter().any(|i| t.is(i)));
        let mut is_use = false;
        while let Some(token) = tokens.get(at) {
            is_use |= token.is("use");
            match token.text.as_str() {
                "{" if is_use => at += group(&tokens[at..]),
                "{" => {
                    at += group(&tokens[at..]);
                    break;
                }
                "(" | "[" => at += group(&tokens[at..]),
                ";" => {
                    at += 1;
                    break;
                }
                "," if !item => {
                    at += 1;
                    break;
                }
                "}" => break,
                _ => at += 1,
            }
        }
        let modules = tokens[begin..at].windows(2).filter(|two| two[0].is("mod"));
        for_tests.extend(modules.take(1).map(|two| two[1].text.clone()));
    }
    left
}

/// How many tokens a group takes that begins here.
fn group(tokens: &[Token]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    /// Where the reader is, from the crate's root.
    module: Vec<String>,
    crate_name: &'a str,
    /// The modules that the file declares.
    children: Vec<String>,
    mentions: Vec<Mention>,
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> &str {
        self.tokens
            .get(self.at + ahead)
            .map_or("", |t| t.text.as_str())
    }

    fn file(&mut self) {
        // of each inline module: how deep the braces are in it
        let mut inside: Vec<usize> = Vec::new();
        let mut depth = 0;
        while self.at < self.tokens.len() {
            match self.peek(0) {
                // of a type, what it captures
                "use" if self.peek(1) == "<" => self.at += 1,
                "use" => self.one_use(),
                "mod" if self.peek(2) == "{" => {
                    let name = self.peek(1).to_owned();
                    self.module.push(name);
                    depth += 1;
                    inside.push(depth);
                    self.at += 3;
                }
                "{" => {
                    depth += 1;
                    self.at += 1;
                }
                "}" => {
                    if inside.last() == Some(&depth) {
                        inside.pop();
                        self.module.pop();
                    }
                    depth = depth.saturating_sub(1);
                    self.at += 1;
                }
                _ if self.peek(1) == "::" => self.one_path(),
                _ => self.at += 1,
            }
        }
    }

    /// A path outside of a `use`: of what it leads past, no more is told than the words.
    fn one_path(&mut self) {
        let line = self.tokens[self.at].line;
        let mut path = vec![self.peek(0).to_owned()];
        self.at += 1;
        while self.peek(0) == "::" && self.tokens.get(self.at + 1).is_some_and(Token::is_word) {
            path.push(self.peek(1).to_owned());
            self.at += 2;
        }
        // a generic's, or what a macro makes
        if self.peek(0) == "::" {
            self.at += 1;
        }
        if let Some(path) = self.absolute(&path) {
            let by = By::Path;
            self.mentions.push(Mention { line, path, by });
        }
    }

    fn one_use(&mut self) {
        let before = self.tokens[..self.at].last();
        // `pub`, or the end of `pub(crate)`
        let shown = before.is_some_and(|t| t.is("pub") || t.is(")"));
        self.at += 1;
        if self.peek(0) == "::" {
            self.at += 1;
        }
        self.tree(&[], shown);
    }

    fn tree(&mut self, prefix: &[String], shown: bool) {
        let line = self.tokens.get(self.at).map_or(0, |t| t.line);
        let mut path = prefix.to_vec();
        loop {
            match self.peek(0) {
                "{" => {
                    self.at += 1;
                    while !matches!(self.peek(0), "}" | "") {
                        self.tree(&path, shown);
                        if matches!(self.peek(0), "," | ";") {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "::" => self.at += 1,
                "," | ";" | "}" | "as" | "" => break,
                word => {
                    path.push(word.to_owned());
                    self.at += 1;
                }
            }
        }
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let mut name = path.last().cloned().unwrap_or_default();
        if self.peek(0) == "as" {
            name = self.peek(1).to_owned();
            self.at += 2;
        }
        if let Some(path) = self.absolute(&path) {
            let by = By::Use { name, shown };
            self.mentions.push(Mention { line, path, by });
        }
    }

    /// The same from the crate's root, if it leads anywhere in the crate.
    fn absolute(&self, path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        if first == "crate" || first == self.crate_name {
            return Some(rest.to_vec());
        }
        if self.children.contains(first) {
            return Some([self.module.as_slice(), path].concat());
        }
        let mut base = self.module.clone();
        let mut rest = path;
        match first.as_str() {
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|word| word == "super") {
                    base.pop()?;
                    rest = &rest[1..];
                }
            }
            _ => return None,
        }
        Some([base.as_slice(), rest].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str, module: &[&str]) -> Vec<(usize, String)> {
        let module: Vec<String> = module.iter().map(|m| (*m).to_owned()).collect();
        let mentions = read(text, &module, "the_host").mentions.into_iter();
        mentions.map(|m| (m.line, m.path.join("::"))).collect()
    }

    fn one(text: &str, module: &[&str]) -> Vec<String> {
        paths(text, module)
            .into_iter()
            .map(|(_, path)| path)
            .collect()
    }

    #[test]
    fn groups_are_taken_apart_however_deep() {
        let text =
            "pub(crate) use crate::{a::{self, b::{C, D as E}}, f::*,\n g};\nuse the_host::h;";
        assert_eq!(
            paths(text, &["x"]),
            [
                (1, "a"),
                (1, "a::b::C"),
                (1, "a::b::D"),
                (1, "f::*"),
                (2, "g"),
                (3, "h")
            ]
            .map(|(line, path)| (line, path.to_owned()))
        );
    }

    #[test]
    fn paths_in_code_are_found_and_what_is_no_path_is_not() {
        let text = r##"
            fn k<'a>() -> impl T + use<'a> { a(); }
            fn f<'a>(x: &'a crate::a::B<'a>) -> crate::c::D { crate::e::f::<u8>(x) }
            pub(super) struct S; pub(crate) struct T;
            // crate::no::comment /* */
            /* crate::no::block /* nested */ crate::no::still */
            const X: &str = "crate::no::string \" crate::no";
            const Y: &str = r#"crate::no::raw " crate::no"#;
            const Z: [char; 3] = ['"', '\'', '\\'];
            impl crate::g::H for S {}
        "##;
        assert_eq!(one(text, &["x"]), ["a::B", "c::D", "e::f", "g::H"]);
    }

    #[test]
    fn chains_of_super_are_followed_also_out_of_the_folder_and_of_inline_modules() {
        let text = "use super::super::z::Y;\nfn f() { super::g(); self::h::i(); j::k(); }
            mod inner { use super::l; fn f() { super::super::m::n(); } }\nuse super::o; mod j;";
        assert_eq!(
            one(text, &["x", "y"]),
            [
                "z::Y",
                "x::g",
                "x::y::h::i",
                "x::y::j::k",
                "x::y::l",
                "x::m::n",
                "x::o"
            ]
        );
        // beyond the root there is nothing
        assert!(one("use super::super::super::z;", &["x", "y"]).is_empty());
    }

    #[test]
    fn what_is_for_tests_alone_is_left_out_and_what_follows_is_not() {
        let text = "#[cfg(test)] use crate::no::{A, B}; use crate::yes;
            #[cfg(test)] #[allow(dead_code)] fn f<A, B>(a: A) { crate::no::f(); } fn g() { crate::yes::g(); }
            enum E { #[cfg(test)] Fake(crate::no::F), Real(crate::yes::R) }
            fn h(e: E) { match e { #[cfg(test)] E::Fake(_) => { crate::no::h() } _ => crate::yes::h() } }
            #[cfg(test)] mod tests; #[cfg(not(test))] use crate::yes::not;
            #[cfg(test)] mod inner { use crate::no; }";
        let found = one(text, &["x"]);
        assert_eq!(
            found,
            ["yes", "yes::g", "yes::R", "yes::h", "yes::not"],
            "{found:?}"
        );
        let read = read(text, &[], "the_host");
        assert_eq!(read.for_tests, ["tests", "inner"]);
        assert!(read.declares.is_empty());
    }
}
