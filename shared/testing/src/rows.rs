//! A table of cases in a test: every row is tried, and all that fail are named.
//!
//! Rows are compared, and no panic is caught, so a table also works on wasm32, where a panic ends the test.

use std::fmt::{Debug, Display};

/// The rows of a table that failed so far. When it goes out of scope, the test fails with all of them, if there are any.
///
/// ```should_panic
/// use weir_testing::Rows;
/// let mut rows = Rows::default();
/// for (text, expected) in [("1", Some(1)), ("x", Some(2)), ("2", Some(2)), ("", Some(0))] {
///     rows.check(text, text.parse().ok(), expected);
/// }
/// // 2 rows failed:
/// // x: found None, expected Some(2)
/// // : found None, expected Some(0)
/// ```
#[derive(Debug, Default)]
pub struct Rows(Vec<String>);

impl Rows {
    /// Compares what a row found with what it expects.
    pub fn check<F: PartialEq<E> + Debug, E: Debug>(&mut self, name: impl Display, found: F, expected: E) {
        if found != expected {
            self.0.push(format!("{name}: found {found:?}, expected {expected:?}"));
        }
    }

    /// Looks for what a row expects in the text that it found.
    pub fn contains(&mut self, name: impl Display, found: &str, expected: &str) {
        if !found.contains(expected) {
            self.0.push(format!("{name}: `{expected}` is not in `{found}`"));
        }
    }

    fn report(&self) -> String {
        format!("{} rows failed:\n{}", self.0.len(), self.0.join("\n"))
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.0.is_empty(), "{}", self.report());
        } else if !self.0.is_empty() {
            // A second panic would end the process before the test has a name.
            println!("{}", self.report());
        }
    }
}

#[cfg(test)]
mod tests;
