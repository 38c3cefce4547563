//! The outcome of the rows of one case file, or of one section of it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::{self, Debug, Display};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The outcome of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was as the row says.
    Passed,
    /// It was not: what was found.
    Failed(String),
    /// It cannot be run here: why.
    Skipped(String),
}

impl Outcome {
    /// Passed if something holds; else the text.
    pub fn of(holds: bool, otherwise: impl FnOnce() -> String) -> Self {
        if holds { Self::Passed } else { Self::Failed(otherwise()) }
    }

    /// Passed if what was found is what the row expects.
    pub fn equal<F: PartialEq<E> + Debug, E: Debug>(found: F, expected: E) -> Self {
        Self::of(found == expected, || format!("found {found:?}, expected {expected:?}"))
    }

    /// Passed if the text that was found contains what the row expects.
    #[must_use]
    pub fn contains(found: &str, expected: &str) -> Self {
        Self::of(found.contains(expected), || format!("`{expected}` is not in `{found}`"))
    }

    /// A row that cannot be run here.
    pub fn skip(reason: impl Into<String>) -> Self {
        Self::Skipped(reason.into())
    }

    /// The outcome of this check of a row and of the next; the first that did not pass counts.
    #[must_use]
    pub fn and(self, next: Self) -> Self {
        if self == Self::Passed { next } else { self }
    }
}

/// The outcome of all rows.
///
/// ```
/// use weir_testing::{Outcome, Score};
/// let mut score = Score::new("sums.yaml");
/// score.row("one and one", || Outcome::equal(1 + 1, 2));
/// score.row("a row that panics has failed", || Outcome::equal("x".parse::<u8>().unwrap(), 2));
/// score.row("a thousand", || Outcome::skip("takes too long"));
/// assert_eq!((score.passed(), score.failed().len(), score.skipped()), (1, 1, 1));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    part: String,
    passed: usize,
    failed: Vec<String>,
    skipped: BTreeMap<String, usize>,
}

impl Score {
    /// Of no row yet. The part is the file's name, followed by a section's where a file has several.
    #[must_use]
    pub fn new(part: &str) -> Self {
        Self { part: part.to_owned(), ..Self::default() }
    }

    /// Runs a row. One that panics has failed, and the rows after it run.
    pub fn row(&mut self, name: impl Display, run: impl FnOnce() -> Outcome) {
        let outcome = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("the row panicked");
            Outcome::Failed(text.to_owned())
        });
        self.add(name, outcome);
    }

    /// Adds the outcome of a row.
    pub fn add(&mut self, name: impl Display, outcome: Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Failed(text) => self.failed.push(format!("{name}: {text}")),
            Outcome::Skipped(reason) => *self.skipped.entry(reason).or_default() += 1,
        }
    }

    /// Skips so many rows, all for one reason.
    pub fn skip(&mut self, count: usize, reason: &str) {
        if count > 0 {
            *self.skipped.entry(reason.to_owned()).or_default() += count;
        }
    }

    /// Adds the outcome of other rows of the same part.
    pub fn merge(&mut self, other: Self) {
        let Self { part: _, passed, failed, skipped } = other;
        self.passed += passed;
        self.failed.extend(failed);
        skipped.iter().for_each(|(reason, count)| self.skip(*count, reason));
    }

    /// The file's name, followed by a section's where it has several.
    #[must_use]
    pub fn part(&self) -> &str {
        &self.part
    }

    /// How many rows passed.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.passed
    }

    /// The rows that failed, each with what was found.
    #[must_use]
    pub fn failed(&self) -> &[String] {
        &self.failed
    }

    /// How many rows were skipped.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.skipped.values().sum()
    }

    /// Adds the score, as a line of JSON, to the file that `WEIR_CASES_REPORT` names, if it names one.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn report(&self) -> std::io::Result<()> {
        let Some(file) = std::env::var_os("WEIR_CASES_REPORT") else { return Ok(()) };
        let line = serde_json::to_string(self)? + "\n";
        std::fs::OpenOptions::new().append(true).create(true).open(file)?.write_all(line.as_bytes())
    }

    /// Ends a test: prints and reports the score.
    ///
    /// # Panics
    /// When a row failed.
    pub fn end(self) {
        println!("{self}");
        let reported = self.report();
        assert!(reported.is_ok(), "the report cannot be written: {reported:?}");
        assert!(self.failed.is_empty(), "{self}");
    }
}

/// One line of numbers, then one for each reason and each row that failed.
impl Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (passed, failed, skipped) = (self.passed, self.failed.len(), self.skipped());
        write!(f, "{}: {passed} passed, {failed} failed, {skipped} skipped", self.part)?;
        for (reason, count) in &self.skipped {
            write!(f, "\n  skipped {count}: {reason}")?;
        }
        for failed in &self.failed {
            write!(f, "\n  FAILED {failed}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
