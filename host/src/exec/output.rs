//! A program's output, and what is said of the program, as whoever reads them can take them.

use crate::event::{Captured, Cause};
use crate::report::failure;
use crate::report::frames::Functions;
use crate::sandbox::capture::Stream;
use crate::settings::{Marks, Output};
use crate::text;
use crate::text::MARK;
use std::fs::File;
use std::io::{self, Write};

impl Marks {
    /// The line that says that the host ended a program, or did not run it.
    pub fn stop(&self) -> String {
        format!("{}!", self.word)
    }

    /// Text with each of its lines marked.
    pub fn mark(&self, text: &str) -> String {
        text.lines()
            .flat_map(|line| [self.word.as_str(), " ", line, "\n"])
            .collect()
    }

    /// The same of what was captured.
    pub fn captured(&self, captured: &Captured) -> Captured {
        Captured {
            head: self.mark(&captured.text()).into_bytes(),
            ..Captured::default()
        }
    }
}

impl Output {
    fn marks(&self) -> Option<&Marks> {
        match self {
            Output::Bounded { marks, .. } => marks.as_ref(),
            Output::Inherited => None,
        }
    }

    /// Streams to keep it in, where it is not passed on as it comes.
    pub(super) fn streams(&self) -> Option<(Stream, Stream)> {
        match self {
            Output::Inherited => None,
            Output::Bounded { cap, .. } => Some((Stream::new(*cap), Stream::new(*cap))),
        }
    }

    /// Writes what was kept, and how much was not.
    pub(super) fn pass_on(&self, kept: Option<&(Stream, Stream)>) {
        let Some((stdout, stderr)) = kept else { return };
        let write = |to: &mut dyn Write, stream: &Stream| {
            let written = stream.finish().0;
            let written = match self.marks() {
                Some(marks) => marks.captured(&written),
                None => written,
            };
            let mut write = || -> io::Result<()> {
                to.write_all(&written.head)?;
                if written.dropped > 0 {
                    write!(to, "\n[{} bytes left out]\n", written.dropped)?;
                }
                to.write_all(&written.tail)?;
                to.flush()
            };
            // where nobody reads it, it is not missed
            let _ = write();
        };
        write(&mut io::stdout(), stdout);
        write(&mut io::stderr(), stderr);
    }

    /// Says on stderr what became of a program.
    pub(super) fn tell(&self, file: &str, cause: &Cause) {
        let told = failure::Styles::new(false, Functions::Own).cause(cause);
        match self.marks() {
            Some(marks) => {
                let lines = told.trim().lines();
                let ours: String = lines.map(|l| format!("{MARK}{l}\n")).collect();
                text::tell(marks.mark(&ours).trim_end());
            }
            None => text::tell(&format!("error: {}: {}", text::one_line(file), told.trim())),
        }
    }

    /// Says a line that stands among a guest's own.
    pub(super) fn tell_among(&self, line: &str) {
        let line = format!("{MARK}{}", text::one_line(line));
        match self.marks() {
            Some(marks) => text::tell(marks.mark(&line).trim_end()),
            None => text::tell(&line),
        }
    }

    /// Says to who has to know that it was not the program that ended itself.
    pub fn tell_stop(&self) {
        if let Some(marks) = self.marks() {
            let name = format!("stop-{}", std::process::id());
            // where it is missing, its reader counts one less, and says nothing of it
            let _ = File::create(marks.stops.join(name));
            text::tell(&marks.stop());
        }
    }
}
