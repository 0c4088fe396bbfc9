//! Doctests that name what was left out of a build: one that is to be refused by the compiler would
//! be refused for that alone. Reads sources, and nothing that a guest wrote.

use super::Of;

/// The name of something left out that this doctest names; where its text cannot be found, the
/// first that it could name.
pub(super) fn named<'a>(of: &'a Of, path: &str) -> Option<&'a str> {
    let mut names = of.left_out.iter().map(String::as_str);
    match text(of, path) {
        Some(text) => names.find(|name| is_named(&text, name)),
        None => names.next(),
    }
}

/// What stands between a doctest's fences: `FILE - ITEM (line N)`, N being the first of them.
fn text(of: &Of, path: &str) -> Option<String> {
    let (file, rest) = path.split_once(" - ")?;
    let line = rest.rsplit_once("(line ")?.1.strip_suffix(')')?;
    let line: usize = line.parse().ok()?;
    let mut files = of.folders.iter().map(|folder| folder.join(file));
    let source = files.find_map(|file| std::fs::read_to_string(file).ok())?;
    Some(between_fences(&source, line))
}

fn between_fences(source: &str, line: usize) -> String {
    let is_fence = |line: &&str| ["```", "~~~"].iter().any(|fence| line.contains(fence));
    let lines = source.lines().skip(line);
    let text: Vec<&str> = lines.take_while(|line| !is_fence(line)).collect();
    text.join("\n")
}

/// Whether a name stands there as a word.
fn is_named(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        !before.ends_with(is_part) && !after.starts_with(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_as_a_word_between_the_fences() {
        let source = "/// broken\n/// ```compile_fail\n/// use broken::x;\n/// ```\n/// other::y\n";
        let text = between_fences(source, 2);
        assert!(is_named(&text, "broken") && !is_named(&text, "other"));
        assert!(!is_named("use unbroken::x", "broken") && !is_named("broken_too", "broken"));
    }
}
