//! The outcome of scenarios, and its report.

use std::fmt;

/// One difference between what a scenario expects and what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Where: the step's number and what it does.
    pub location: String,
    /// Which field.
    pub field: String,
    /// What was expected of it.
    pub expected: String,
    /// What it was.
    pub actual: String,
}

impl Mismatch {
    /// A difference in one field; the runner fills in the location.
    pub(crate) fn new(field: impl Into<String>, expected: impl fmt::Display, actual: impl fmt::Display) -> Self {
        Mismatch {
            location: String::new(),
            field: field.into(),
            expected: expected.to_string(),
            actual: actual.to_string(),
        }
    }
}

/// The outcome of one scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything was as expected.
    Passed,
    /// Something was not.
    Failed(Vec<Mismatch>),
    /// It cannot run in this world, for the reason.
    Skipped(String),
}

/// Mismatches as a diff: one heading per location, then expected and actual of each field.
pub(crate) fn diff(f: &mut dyn fmt::Write, mismatches: &[Mismatch]) -> fmt::Result {
    let mut location = "";
    for mismatch in mismatches {
        if mismatch.location != location {
            location = &mismatch.location;
            writeln!(f, "  {location}")?;
        }
        writeln!(f, "    {}", mismatch.field)?;
        for (sign, text) in [("- expected", &mismatch.expected), ("+ actual  ", &mismatch.actual)] {
            for (i, line) in text.lines().enumerate() {
                let head = if i == 0 { sign } else { "          " };
                writeln!(f, "      {head} {line}")?;
            }
        }
    }
    Ok(())
}

/// The outcome of many scenarios.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many passed.
    pub passed: usize,
    /// Names of those that failed, with their differences.
    pub failed: Vec<(String, Vec<Mismatch>)>,
    /// Names of those that were skipped, with the reasons.
    pub skipped: Vec<(String, String)>,
}

impl Summary {
    /// Whether something passed and nothing failed.
    #[must_use]
    pub fn good(&self) -> bool {
        self.failed.is_empty() && self.passed > 0
    }

    pub(crate) fn add(&mut self, name: &str, verdict: Verdict) {
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Failed(mismatches) => self.failed.push((name.to_owned(), mismatches)),
            Verdict::Skipped(reason) => self.skipped.push((name.to_owned(), reason)),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed.len(), self.skipped.len())?;
        for (name, reason) in &self.skipped {
            write!(f, "\n  skipped {name}: {reason}")?;
        }
        for (name, _) in &self.failed {
            write!(f, "\n  failed {name}")?;
        }
        Ok(())
    }
}
