//! `--format junit`: one document, on one line, at the end.

use super::result::{Flags, LibtestFormat, LibtestResult, LibtestStatus, Tally};
use std::fmt::Write as _;
use std::path::Path;

/// One document at the end.
pub struct Junit {
    show_output: bool,
    report_time: bool,
    cases: Vec<((usize, usize), String)>,
}

impl Junit {
    pub fn new(flags: Flags) -> Self {
        Junit {
            show_output: flags.show_output,
            report_time: flags.report_time,
            cases: Vec::new(),
        }
    }
}

/// A character that no XML document may hold, even escaped.
fn is_illegal(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\r' | '\t') && c < '\u{80}')
        || matches!(c, '\u{fffe}' | '\u{ffff}')
}

fn legal(text: &str) -> String {
    let mut legal = String::with_capacity(text.len());
    for c in text.chars() {
        match is_illegal(c) {
            true => legal.extend(c.escape_unicode()),
            false => legal.push(c),
        }
    }
    legal
}

/// The value of an attribute.
fn attribute(text: &str) -> String {
    legal(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

/// Text as CDATA, each end of a line outside of it, so that all stays on one line.
fn cdata(text: &str) -> String {
    let lines: Vec<String> = legal(text)
        .split('\n')
        .map(|line| {
            // neither may stand in CDATA whole
            let line = line
                .replace("]]>", "]]]]><![CDATA[>")
                .replace("<?", "<]]><![CDATA[?");
            match line.is_empty() {
                true => String::new(),
                false => format!("<![CDATA[{line}]]>"),
            }
        })
        .collect();
    lines.join("&#xA;")
}

/// libtest's names of a class and a test: for unit tests the path of the module, as
/// the folder of the source tells.
fn names(result: &LibtestResult) -> (String, String) {
    let file = result.file.as_deref().unwrap_or_default();
    let folders = Path::new(file).parent();
    let lies_in = |name: &str| folders.is_some_and(|f| f.iter().any(|part| part == name));
    if lies_in("src") {
        match result.name.rsplit_once("::") {
            Some((path, name)) => (path.to_owned(), name.to_owned()),
            None => ("crate".to_owned(), result.name.clone()),
        }
    } else if lies_in("tests") {
        ("integration".to_owned(), result.name.clone())
    } else {
        ("unknown".to_owned(), result.name.clone())
    }
}

impl LibtestFormat for Junit {
    fn begin(&mut self, _total: usize) -> String {
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>".to_owned()
    }

    fn ended(&mut self, result: &LibtestResult) -> String {
        let (class, name) = names(result);
        let (class, name) = (attribute(&class), attribute(&name));
        let time = match result.time.filter(|_| self.report_time) {
            Some(time) => time.as_secs_f64(),
            None => 0.0,
        };
        let captured = result.captured();
        let output = match captured.is_empty() {
            true => String::new(),
            false => format!("<system-out>{}</system-out>", cdata(&captured)),
        };
        let mut case = format!("<testcase classname=\"{class}\" name=\"{name}\" time=\"{time}\"");
        match &result.status {
            LibtestStatus::Ignored { .. } => return String::new(),
            LibtestStatus::Measured(measure) => {
                case = format!(
                    "<testcase classname=\"benchmark::{class}\" name=\"{name}\" time=\"{}\" />",
                    measure.median
                );
            }
            LibtestStatus::Ok if self.show_output && !output.is_empty() => {
                let _ = write!(case, ">{output}</testcase>");
            }
            LibtestStatus::Ok => case.push_str("/>"),
            LibtestStatus::Failed => {
                let _ = write!(case, "><failure type=\"assert\"/>{output}</testcase>");
            }
            LibtestStatus::TooSlow => case.push_str("><failure type=\"timeout\"/></testcase>"),
        }
        self.cases.push((result.order, case));
        String::new()
    }

    fn finish(&mut self, tally: &Tally) -> String {
        self.cases.sort_by_key(|(order, _)| *order);
        let cases: String = self.cases.drain(..).map(|(_, case)| case).collect();
        format!(
            "<testsuites><testsuite name=\"test\" package=\"test\" id=\"0\" errors=\"0\" failures=\"{}\" tests=\"{}\" skipped=\"{}\" >{cases}<system-out/><system-err/></testsuite></testsuites>\n",
            tally.failed, tally.total, tally.ignored
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_on_one_line_and_in_its_place() {
        assert_eq!(cdata("a\nb\n"), "<![CDATA[a]]>&#xA;<![CDATA[b]]>&#xA;");
        let nasty = cdata("]]><x>\x1b");
        assert_eq!(nasty, "<![CDATA[]]]]><![CDATA[><x>\\u{1b}]]>");
        assert_eq!(attribute("a<\"&"), "a&lt;&quot;&amp;");
    }
}
