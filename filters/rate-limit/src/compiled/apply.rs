//! `apply`: limits for some requests only, in the words of AuthorizationPolicy's `operation`.
//!
//! Semantics: Istio's AuthorizationPolicy reference. Items of `to` are alternatives; within an operation every field
//! given must hold; a `not` field holds where none of its values matches. Hosts ignore case and keep their port; paths
//! are compared without query and fragment, and without path parameters where the route configuration ignores them.

use super::action::Item;
use crate::descriptor::Descriptors;
use weir_matching::{Pattern, without_parameters, without_query};
use weir_model::{Facts, Headers};

/// All of `apply`.
#[derive(Clone, Debug, Default)]
pub(crate) struct ApplyRules {
    pub(crate) list: Vec<Apply>,
    /// Whether paths are compared as under the route option `ignore_path_parameters_in_path_matching`.
    ignore_parameters: bool,
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
    pub(crate) fn new(list: Vec<Apply>, ignore_parameters: bool) -> Self {
        let asks = |field: fn(&Operation) -> &Field| {
            list.iter().flat_map(|apply| &apply.to).any(|operation| !field(operation).is_absent())
        };
        let (asks_host, asks_path) = (asks(|operation| &operation.hosts), asks(|operation| &operation.paths));
        Self { list, ignore_parameters, asks_host, asks_path }
    }

    /// The first that matches the request. `scratch` is overwritten.
    pub(crate) fn first_match(&self, headers: &Headers<'_>, scratch: &mut Scratch) -> Option<&Apply> {
        if self.list.iter().all(|apply| apply.to.is_empty()) {
            return self.list.first();
        }
        let Scratch { host: lower, path: plain } = scratch;
        let host = headers.first(b":authority").filter(|_| self.asks_host).map(|host| {
            lower.clear();
            lower.extend(host.iter().map(u8::to_ascii_lowercase));
            lower.as_slice()
        });
        let path = headers.first(b":path").filter(|_| self.asks_path).map(without_query).map(|path| {
            if !self.ignore_parameters {
                return path;
            }
            without_parameters(path, plain);
            plain.as_slice()
        });
        let method = headers.first(b":method");
        let matches = |Operation { hosts, methods, paths }: &Operation| {
            methods.matches(method) && paths.matches(path) && hosts.matches(host)
        };
        self.list.iter().find(|apply| apply.to.is_empty() || apply.to.iter().any(matches))
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
