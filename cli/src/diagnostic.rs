//! What is said of an operator's files.

use crate::input::{self, Fault, Position};
use serde::Serialize;

/// How much something matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// It cannot be used as it stands.
    Error,
    /// It is accepted, and does not do what its author means.
    Warning,
    /// Something to know, such as what is known and not read.
    Note,
}

impl Severity {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Something that is said of a place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    pub(crate) severity: Severity,
    /// What it can be silenced by; errors have none.
    pub(crate) id: Option<&'static str>,
    /// JSON path in the file.
    pub(crate) path: String,
    pub(crate) message: String,
    /// Where it is, if that is not where its path is.
    pub(crate) at: Option<Position>,
}

impl Diagnostic {
    fn new(severity: Severity, id: Option<&'static str>, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity, id, path: path.into(), message: message.into(), at: None }
    }

    /// What is wrong with the text of a file.
    pub(crate) fn fault(root: &str, fault: Fault) -> Self {
        Self { at: fault.at, ..Self::error(root, fault.message) }
    }

    /// An error.
    pub(crate) fn error(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, None, path, message)
    }

    /// A warning.
    pub(crate) fn warning(id: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, Some(id), path, message)
    }

    /// A note.
    pub(crate) fn note(id: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, Some(id), path, message)
    }

    /// Whether it is an error.
    pub(crate) fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Its path without the number of the document in its file: lines have the place.
    pub(crate) fn shown_path(&self) -> &str {
        input::in_document(&self.path)
    }

    /// Its message, with what it can be silenced by.
    pub(crate) fn text(&self) -> String {
        match self.id {
            Some(id) => format!("{} [{id}]", self.message),
            None => self.message.clone(),
        }
    }

    /// The line for it, where only the file is known.
    pub(crate) fn line(&self, file: &str) -> String {
        let path = self.shown_path();
        format!("{file}: {}: {path}: {}", self.severity.word(), self.text())
    }
}

/// A number of things.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// The diagnostics of one document, in the order in which they are found.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics(pub(crate) Vec<Diagnostic>);

impl Diagnostics {
    pub(crate) fn error(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Diagnostic::error(path, message));
    }

    pub(crate) fn warning(&mut self, id: &'static str, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Diagnostic::warning(id, path, message));
    }
}
