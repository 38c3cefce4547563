//! What of a request is not known, or only in part.

use super::RequestField;
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

/// What of a request is not known.
#[derive(Clone, Debug, Default)]
pub struct Missing {
    /// By the dimensions that rules look at; none of them is known in whole.
    dimensions: BTreeMap<u16, (RequestField, Knowledge)>,
}

impl Missing {
    pub(super) fn of(dimensions: impl Iterator<Item = (u16, RequestField, Knowledge)>) -> Self {
        let missing = dimensions.filter(|(.., knowledge)| *knowledge != Knowledge::Whole);
        Self { dimensions: missing.map(|(dimension, field, knowledge)| (dimension, (field, knowledge))).collect() }
    }

    /// Whether all is known that a rule looks at, but for what only Envoy can tell.
    pub fn is_empty(&self) -> bool {
        self.dimensions.is_empty()
    }

    pub(super) fn get(&self, dimension: u16) -> Option<&(RequestField, Knowledge)> {
        self.dimensions.get(&dimension)
    }
}
