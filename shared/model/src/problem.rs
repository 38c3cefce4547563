//! What is wrong with a configuration, as values: all of it at once, each with the place and a hint.

use std::fmt;

/// One problem of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// JSON path of the place, such as `$.policies[3].spec.rules[0]`.
    pub path: String,
    /// What is wrong and what was expected: lower case, no full stop.
    pub message: String,
}

/// Every problem found in one configuration; never empty when returned as an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

/// What a configuration asks for and a proxy cannot do as its author means. The configuration is accepted anyway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Which kind of warning this is: lower case words joined by `-`.
    pub id: &'static str,
    /// JSON path of the place.
    pub path: String,
    /// What will not happen as meant, and how to mend it: lower case, no full stop.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.path, self.message, self.id)
    }
}

impl Problems {
    /// How many problems `Display` lists before it only counts the rest.
    pub const SHOWN: usize = 50;

    /// A single problem at `path`.
    pub fn one(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self(vec![Problem { path: path.into(), message: message.into() }])
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().take(Self::SHOWN).enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        match self.0.len().saturating_sub(Self::SHOWN) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for Problems {}
