//! What cargo and the compiler say, in fewer words.

use cargo_metadata::PackageId;
use cargo_metadata::diagnostic::Diagnostic;

/// An error as one line.
pub(super) fn error_line(error: &Diagnostic) -> String {
    let code = error.code.as_ref();
    let code = code.map_or(String::new(), |c| format!("[{}]", c.code));
    let text = error.message.lines().next().unwrap_or_default();
    let span = error.spans.iter().find(|s| s.is_primary);
    let place = span.map_or(String::new(), |s| {
        format!(" ({}:{})", s.file_name, s.line_start)
    });
    format!("error{code}: {text}{place}")
}

/// A package's name, as its id has it: `...#NAME@VERSION`, or `.../NAME#VERSION`.
pub(super) fn name_in(id: &PackageId) -> String {
    let (place, rest) = id.repr.split_once('#').unwrap_or((&id.repr, ""));
    let name = match rest.split_once('@') {
        Some((name, _version)) => name,
        None => place.rsplit('/').next().unwrap_or_default(),
    };
    name.to_owned()
}
