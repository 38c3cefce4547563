//! What of a request is not known, or only in part.

use super::RequestField;
use crate::compiled::Compiled;
use std::collections::BTreeMap;

/// How much is known of a field of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Knowledge {
    /// All of it, also that it is absent.
    Whole,
    /// Nothing.
    Nothing,
    /// Some of its values: what matches one of them matches, and what does not may match another. A log has the first value
    /// of a header, for example.
    AtLeast,
    /// Every value that it may have: what matches none of them does not match. A `-` in a log is a value or none, for example.
    AtMost,
}

/// What Envoy makes of an expression in CEL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CelOutcome {
    /// `true`.
    True,
    /// `false`.
    False,
    /// It fails, or comes to something else. That matches no ALLOW rule, and every other one.
    Error,
}

impl CelOutcome {
    /// The bool; `None` if it fails.
    #[must_use]
    pub fn value(self) -> Option<bool> {
        match self {
            Self::True => Some(true),
            Self::False => Some(false),
            Self::Error => None,
        }
    }
}

/// What of a request is not known.
#[derive(Clone, Debug, Default)]
pub struct Missing {
    /// By the dimensions that rules look at; none of them is known in whole.
    dimensions: BTreeMap<u16, (RequestField, Knowledge)>,
    /// What expressions come to, where that is said.
    expressions: BTreeMap<u16, CelOutcome>,
}

impl Missing {
    pub(super) fn of(dimensions: impl Iterator<Item = (u16, RequestField, Knowledge)>) -> Self {
        let missing = dimensions.filter(|(.., knowledge)| *knowledge != Knowledge::Whole);
        let dimensions = missing.map(|(dimension, field, knowledge)| (dimension, (field, knowledge))).collect();
        Self { dimensions, expressions: BTreeMap::new() }
    }

    /// The same, where it is known what expressions come to, by their dimensions.
    pub(super) fn with_expressions(self, expressions: impl Iterator<Item = (u16, CelOutcome)>) -> Self {
        Self { expressions: expressions.collect(), ..self }
    }

    /// What an expression comes to, by its number, where that is said; `None` too if it fails.
    pub(super) fn evaluate(&self, compiled: &Compiled, number: u16) -> Option<bool> {
        self.expression(compiled.dimensions.expressions().start.checked_add(number)?)?.value()
    }

    pub(super) fn expression(&self, dimension: u16) -> Option<CelOutcome> {
        self.expressions.get(&dimension).copied()
    }

    /// Whether all is known that a rule looks at, but for what only Envoy can tell.
    pub fn is_empty(&self) -> bool {
        self.dimensions.is_empty()
    }

    pub(super) fn get(&self, dimension: u16) -> Option<&(RequestField, Knowledge)> {
        self.dimensions.get(&dimension)
    }
}
