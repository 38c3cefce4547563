//! For a person: `FILE:LINE:COLUMN: error: KIND NAMESPACE/NAME: PATH: what is wrong`.

use super::super::report::{Line, Report};
use crate::diagnostic::Severity;

pub(super) fn of(report: &Report<'_>) -> String {
    let mut lines: Vec<String> = report.lines.iter().map(line).collect();
    lines.push(summary(report));
    if !report.passed.is_empty() {
        let passed: Vec<String> = report.passed.iter().map(|(class, count)| format!("{count} {class}")).collect();
        lines.push(plain(&format!("passed over: {}", passed.join(", "))));
    }
    lines.join("\n")
}

/// The line for one finding.
pub(in super::super) fn line(line: &Line) -> String {
    let Line { file, at, object, diagnostic } = line;
    let at = at.map(|at| format!(":{}:{}", at.line, at.column)).unwrap_or_default();
    let object = object.as_ref().map(|object| format!("{object}: ")).unwrap_or_default();
    let path = diagnostic.shown_path();
    plain(&format!("{file}{at}: {}: {object}{path}: {}", diagnostic.severity.word(), diagnostic.text()))
}

/// A text without what a terminal or the reader of a log would act on: names are written by others.
fn plain(text: &str) -> String {
    let is_active = |char: char| {
        char.is_control() || matches!(char, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().fold(String::with_capacity(text.len()), |mut plain, char| {
        match is_active(char) {
            true => plain.extend(char.escape_unicode()),
            false => plain.push(char),
        }
        plain
    })
}

fn summary(report: &Report<'_>) -> String {
    let count = |number: usize, one: &str, many: &str| match number {
        1 => format!("1 {one}"),
        number => format!("{number} {many}"),
    };
    let documents = report
        .documents
        .iter()
        .map(|(module, number)| count(*number, &format!("{module} document"), &format!("{module} documents")));
    let others = [
        (report.policies, "AuthorizationPolicy", "AuthorizationPolicies"),
        (report.limits, "envoyproxy/ratelimit configuration", "envoyproxy/ratelimit configurations"),
        (report.actions, "set of rate limit actions", "sets of rate limit actions"),
    ];
    let others =
        others.into_iter().filter(|(number, ..)| *number > 0).map(|(number, one, many)| count(number, one, many));
    let read: Vec<String> = documents.chain(others).collect();
    let read =
        if read.is_empty() { "no document of Weir (it begins with `schema: 1`)".to_owned() } else { read.join(", ") };
    let files = count(report.files, "file", "files");
    let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
    let found = match (errors, warnings) {
        (0, 0) => "no errors".to_owned(),
        (0, warnings) => format!("no errors, {}", count(warnings, "warning", "warnings")),
        (errors, 0) => count(errors, "error", "errors"),
        (errors, warnings) => {
            format!("{}, {}", count(errors, "error", "errors"), count(warnings, "warning", "warnings"))
        }
    };
    format!("{files}: {read}: {found}")
}
