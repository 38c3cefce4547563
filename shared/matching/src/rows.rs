//! Tables of cases in tests: every row is tried, and all that fail are named.

use std::fmt::Debug;

/// The rows that failed so far.
#[derive(Default)]
pub(crate) struct Rows(Vec<String>);

impl Rows {
    /// A row: its name, what was found, what was expected.
    pub(crate) fn check<T: PartialEq<U> + Debug, U: Debug>(&mut self, name: impl Debug, found: T, expected: U) {
        if found != expected {
            self.0.push(format!("{name:?}: {found:?}, expected {expected:?}"));
        }
    }

    /// Fails if a row did.
    pub(crate) fn end(self) {
        assert!(self.0.is_empty(), "{} rows failed:\n{}", self.0.len(), self.0.join("\n"));
    }
}
