//! What the filter would be handed of a request, and how much of that is known.

use std::collections::{BTreeMap, BTreeSet};
use weir_model::{Attributes, Facts, Headers};
use weir_policy::{CelOutcome, Explainer, Knowledge, Missing, RequestField};

/// What the filter would be handed of a request.
#[derive(Debug)]
pub(in crate::explain) struct RequestFacts {
    pub(super) headers: Vec<u8>,
    pub(super) attributes: Attributes,
    /// What every request has and this one does not say.
    pub(super) missing: BTreeSet<RequestField>,
    /// What the filter does not read.
    pub(super) unread: Option<RequestField>,
    pub(super) known: Option<BTreeSet<RequestField>>,
    pub(super) partly: BTreeMap<RequestField, Knowledge>,
    pub(super) expressions: BTreeMap<String, CelOutcome>,
}

impl RequestFacts {
    /// What is not known of the request.
    pub(in crate::explain) fn missing(&self, explainer: &Explainer) -> Missing {
        explainer.known_with(|field| self.knowledge(field), |text| self.expressions.get(text).copied())
    }

    /// How much of the request is known.
    pub(in crate::explain) fn knowledge(&self, field: &RequestField) -> Knowledge {
        let is_unknown = self.known.as_ref().is_some_and(|known| !known.iter().any(|known| known.covers(field)));
        match self.partly.get(field) {
            _ if self.unread.as_ref() == Some(field) => Knowledge::Whole,
            Some(knowledge) if is_unknown => *knowledge,
            _ if is_unknown || self.missing.contains(field) => Knowledge::Nothing,
            _ => Knowledge::Whole,
        }
    }

    /// Hands them over.
    pub(in crate::explain) fn with<T>(&self, then: impl FnOnce(&Facts<'_>) -> T) -> T {
        let none = Headers::default();
        then(&Facts {
            request_headers: Headers::new(&self.headers),
            response_headers: none,
            response_trailers: none,
            attributes: &self.attributes,
        })
    }
}
