//! What goes to standard output and standard error.
//!
//! Names come out of files, archives and registries that others wrote. A line shows what a terminal or the reader of a log would
//! act on as an escape, so that no name makes a line of its own. A reader that has gone is an error of standard output, and
//! none of standard error, where no more can be said.

use crate::{Failure, page};
use std::io::{self, Write as _};

/// Prints a line to standard output.
macro_rules! say {
    ($($words:tt)*) => { crate::print::whole(&crate::print::plain(&format!($($words)*))) };
}

/// Prints lines to standard error.
macro_rules! note {
    ($($words:tt)*) => { crate::print::lines_of_error(&format!($($words)*)) };
}

/// Prints a text to standard output as it is, and ends its last line.
///
/// # Errors
/// When it cannot be written; then Envoy is still stopped properly.
pub(crate) fn whole(text: &str) -> Result<(), Failure> {
    if page::prints(text) {
        return Ok(());
    }
    let written = writeln!(io::stdout().lock(), "{text}");
    written.map_err(|error| crate::unwritable(&error))
}

/// Standard output, for more lines than are kept.
pub(crate) fn writer() -> Box<dyn io::Write> {
    match page::writer() {
        Some(page) => Box::new(page),
        None => Box::new(io::BufWriter::new(io::stdout().lock())),
    }
}

/// Prints JSON to standard output. Such characters are only inside of its texts.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn json(text: &str) -> Result<(), Failure> {
    whole(&plain_json(text))
}

/// JSON without such characters.
pub(crate) fn plain_json(text: &str) -> String {
    escaped(text, |char| char != '\n' && is_active(char), |char| format!("\\u{:04x}", u32::from(char)))
}

/// Prints lines to standard error.
pub(crate) fn lines_of_error(text: &str) {
    let lines = escaped(text, |char| char != '\n' && is_active(char), |char| char.escape_unicode().to_string());
    if !page::notes(&lines) {
        let _ = writeln!(io::stderr().lock(), "{lines}");
    }
}

/// A text as a part of one line.
pub(crate) fn plain(text: &str) -> String {
    escaped(text, is_active, |char| char.escape_unicode().to_string())
}

/// Lines of text for a person. What came out of files makes no line of its own.
#[derive(Debug, Default)]
pub(crate) struct Lines(pub(crate) String);

impl Lines {
    /// Adds a line with that many spaces before it.
    pub(crate) fn add(&mut self, indent: usize, line: &str) {
        self.0.extend(std::iter::repeat_n(' ', indent));
        self.0 += &plain(line);
        self.0.push('\n');
    }

    /// A heading after an empty line.
    pub(crate) fn head(&mut self, line: &str) {
        self.0.push('\n');
        self.add(0, line);
    }

    /// Says how many more there are, if there are any.
    pub(crate) fn more(&mut self, indent: usize, more: usize) {
        if more > 0 {
            self.add(indent, &format!("and {more} more"));
        }
    }
}

fn is_active(char: char) -> bool {
    char.is_control() || matches!(char, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, is_active: impl Fn(char) -> bool, escape: impl Fn(char) -> String) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut plain, char| {
        match is_active(char) {
            true => plain += &escape(char),
            false => plain.push(char),
        }
        plain
    })
}

#[cfg(test)]
mod tests {
    use super::{escaped, is_active, plain};
    use weir_testing::Rows;

    #[test]
    fn what_a_terminal_would_act_on_is_shown() {
        let mut rows = Rows::default();
        for (text, expected) in [
            ("shop/cart é 日本 `$.spec`", "shop/cart é 日本 `$.spec`"),
            ("a\nsha256:e  the image manifest", "a\\u{a}sha256:e  the image manifest"),
            ("\u{1b}[2J\u{9b}0m\r\t\u{7f}", "\\u{1b}[2J\\u{9b}0m\\u{d}\\u{9}\\u{7f}"),
            ("\u{202e}gnp\u{2066}\u{2028}", "\\u{202e}gnp\\u{2066}\\u{2028}"),
        ] {
            rows.check(text.escape_debug(), plain(text), expected);
        }
        let json = escaped(
            "{\n \"a\": \"\u{9b}\"}",
            |char| char != '\n' && is_active(char),
            |char| format!("\\u{:04x}", u32::from(char)),
        );
        rows.check("JSON", serde_json::from_str::<serde_json::Value>(&json).unwrap()["a"].as_str(), Some("\u{9b}"));
        rows.check("JSON, as printed", json, "{\n \"a\": \"\\u009b\"}".to_owned());
    }
}
