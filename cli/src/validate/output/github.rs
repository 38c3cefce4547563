//! Workflow commands of GitHub Actions: `::error file=F,line=L,col=C,title=T::MESSAGE`.

use super::super::report::{Line, Report};
use crate::diagnostic::Severity;
use crate::print;

pub(super) fn of(report: &Report<'_>) -> String {
    report.lines.iter().map(|line| command(line) + "\n").collect()
}

/// The annotation of one finding.
pub(in super::super) fn command(line: &Line) -> String {
    let Line { file, at, object, diagnostic } = line;
    let kind = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let mut properties = format!("file={}", property(file));
    if let Some(at) = at {
        properties += &format!(",line={},col={}", at.line, at.column);
    }
    if let Some(object) = object {
        properties += &format!(",title={}", property(object));
    }
    let path = diagnostic.shown_path();
    format!("::{kind} {properties}::{}", data(&format!("{path}: {}", diagnostic.text())))
}

/// What a message must not have as it is.
fn data(text: &str) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    print::plain(&text)
}

/// What a property must not have either.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
