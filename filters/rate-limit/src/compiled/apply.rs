//! `apply`: limits for some requests only, in the words of AuthorizationPolicy's `operation`.
//!
//! Semantics: Istio's AuthorizationPolicy reference. Items of `to` are alternatives; within an operation every field
//! given must hold; a `not` field holds where none of its values matches. Hosts ignore case and keep their port; paths
//! are compared without query and fragment, and without path parameters where the route configuration ignores them.

use super::action::Item;
use crate::descriptor::Descriptors;
use weir_matching::{PathParameters, Pattern, normalized_host, without_query};
use weir_model::{Facts, Headers};

/// All of `apply`.
#[derive(Clone, Debug, Default)]
pub(crate) struct ApplyRules {
    pub(crate) list: Vec<Apply>,
    /// What happens to path parameters.
    path_parameters: PathParameters,
    /// Whether any operation asks for the host, and for the path.
    asks_host: bool,
    asks_path: bool,
}

/// Buffers that are kept from request to request.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    host: Vec<u8>,
    path: Vec<u8>,
}

/// One item of `apply`.
#[derive(Clone, Debug)]
pub(crate) struct Apply {
    /// Alternatives; none at all matches every request.
    pub(crate) to: Vec<Operation>,
    pub(crate) items: Vec<Item>,
}

/// What a request must be like: every field given must hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operation {
    pub(crate) hosts: Field,
    pub(crate) methods: Field,
    pub(crate) paths: Field,
}

/// The values of a field and of its `not` twin; an absent list matches everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Field {
    pub(crate) any: Option<Vec<Pattern>>,
    pub(crate) none: Option<Vec<Pattern>>,
}

impl Apply {
    /// Appends the descriptors of its items.
    pub(crate) fn describe(&self, facts: &Facts<'_>, out: &mut Descriptors, scratch: &mut Vec<u8>) {
        for item in &self.items {
            item.describe(facts, out, scratch);
        }
    }
}

impl ApplyRules {
    /// The items in order; the first that matches a request counts.
    #[inline(never)]
    pub(crate) fn new(list: Vec<Apply>, path_parameters: PathParameters) -> Self {
        let asks = |field: fn(&Operation) -> &Field| {
            list.iter().flat_map(|apply| &apply.to).any(|operation| !field(operation).is_absent())
        };
        let (asks_host, asks_path) = (asks(|operation| &operation.hosts), asks(|operation| &operation.paths));
        Self { list, path_parameters, asks_host, asks_path }
    }

    /// The first that matches the request. Where it is not known which of two paths Envoy compares, the first for each of
    /// them. `scratch` is overwritten.
    #[inline(never)]
    pub(crate) fn first_match(&self, headers: &Headers<'_>, scratch: &mut Scratch) -> (Option<&Apply>, Option<&Apply>) {
        if self.list.iter().all(|apply| apply.to.is_empty()) {
            return (self.list.first(), None);
        }
        let Scratch { host: lower, path: plain } = scratch;
        let host = headers.first(b":authority").filter(|_| self.asks_host).map(|host| {
            normalized_host(host, lower);
            lower.as_slice()
        });
        let method = headers.first(b":method");
        let first = |path: Option<&[u8]>| {
            let matches = |Operation { hosts, methods, paths }: &Operation| {
                methods.matches(method) && paths.matches(path) && hosts.matches(host)
            };
            self.list.iter().position(|apply| apply.to.is_empty() || apply.to.iter().any(matches))
        };
        let Some(path) = headers.first(b":path").filter(|_| self.asks_path).map(without_query) else {
            return (first(None).and_then(|at| self.list.get(at)), None);
        };
        let (one, other) = match self.path_parameters.compared(path, plain) {
            Some(path) => (first(Some(path)), None),
            None => {
                let mut of = |meaning: PathParameters| first(meaning.compared(path, plain));
                let (one, other) = (of(PathParameters::LeftOut), of(PathParameters::EndPath));
                (one, other.filter(|_| other != one))
            }
        };
        let item = |at: Option<usize>| self.list.get(at?);
        (item(one), item(other))
    }
}

impl Field {
    /// Whether neither list is given.
    pub(crate) fn is_absent(&self) -> bool {
        self.any.is_none() && self.none.is_none()
    }

    /// Whether the value meets both lists. An absent value matches no pattern.
    fn matches(&self, value: Option<&[u8]>) -> bool {
        let among =
            |patterns: &Vec<Pattern>| value.is_some_and(|value| patterns.iter().any(|pattern| pattern.matches(value)));
        self.any.as_ref().is_none_or(among) && !self.none.as_ref().is_some_and(among)
    }
}
