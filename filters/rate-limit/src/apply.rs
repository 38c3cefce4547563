//! `apply`: limits for some requests only, in the words of AuthorizationPolicy's `operation`.
//!
//! Semantics: Istio's AuthorizationPolicy reference. Items of `to` are alternatives; within an operation every field
//! given must hold; a `not` field holds where none of its values matches. Hosts ignore case and keep their port; paths
//! are compared without query and fragment, and without path parameters where Envoy is told to compare them so.

use crate::action::{self, Item};
use crate::descriptor::Descriptors;
use weir_config::{Cursor, Fields};
use weir_matching::{Pattern, Template, without_parameters, without_query};
use weir_model::{Demand, Facts, Headers, Node};

/// All of `apply`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Applies {
    list: Vec<Apply>,
    /// Whether paths are compared as under the route option `ignore_path_parameters_in_path_matching`.
    ignore_parameters: bool,
    /// Whether any operation asks for the host, and for the path.
    asks_host: bool,
    asks_path: bool,
}

/// Space that is kept from request to request.
#[derive(Debug, Default)]
pub(crate) struct Spare {
    host: Vec<u8>,
    path: Vec<u8>,
}

/// One item of `apply`.
#[derive(Clone, Debug)]
pub(crate) struct Apply {
    /// Alternatives; none at all is every request.
    to: Vec<Operation>,
    items: Vec<Item>,
}

#[derive(Clone, Debug, Default)]
struct Operation {
    hosts: Field,
    methods: Field,
    paths: Field,
}

/// The values of a field and of its `not` twin; an absent list asks nothing.
#[derive(Clone, Debug, Default)]
struct Field {
    any: Option<Vec<Pattern>>,
    none: Option<Vec<Pattern>>,
}

impl Apply {
    /// Adds what this reads to the demand of the request phase.
    pub(crate) fn demand(&self, demand: &mut Demand) {
        demand.request_headers |= !self.to.is_empty();
        for item in &self.items {
            item.demand(demand);
        }
    }

    /// Appends the descriptors of its items.
    pub(crate) fn describe(&self, facts: &Facts<'_>, out: &mut Descriptors, spare: &mut Vec<u8>) {
        for item in &self.items {
            item.describe(facts, out, spare);
        }
    }
}

impl Applies {
    /// Puts items in order.
    pub(crate) fn new(list: Vec<Apply>, ignore_parameters: bool) -> Self {
        let asks = |field: fn(&Operation) -> &Field| {
            list.iter().flat_map(|apply| &apply.to).any(|operation| !field(operation).is_absent())
        };
        let (asks_host, asks_path) = (asks(|operation| &operation.hosts), asks(|operation| &operation.paths));
        Self { list, ignore_parameters, asks_host, asks_path }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds what all items read to the demand of the request phase.
    pub(crate) fn demand(&self, demand: &mut Demand) {
        for apply in &self.list {
            apply.demand(demand);
        }
    }

    /// The first that means the request. `spare` lends space.
    pub(crate) fn first(&self, headers: &Headers<'_>, spare: &mut Spare) -> Option<&Apply> {
        if self.list.iter().all(|apply| apply.to.is_empty()) {
            return self.list.first();
        }
        let Spare { host: lower, path: plain } = spare;
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
        let meant = |Operation { hosts, methods, paths }: &Operation| {
            methods.holds(method) && paths.holds(path) && hosts.holds(host)
        };
        self.list.iter().find(|apply| apply.to.is_empty() || apply.to.iter().any(meant))
    }
}

impl Field {
    fn is_absent(&self) -> bool {
        self.any.is_none() && self.none.is_none()
    }

    /// An absent value matches no pattern.
    fn holds(&self, value: Option<&[u8]>) -> bool {
        let among =
            |patterns: &Vec<Pattern>| value.is_some_and(|value| patterns.iter().any(|pattern| pattern.matches(value)));
        self.any.as_ref().is_none_or(among) && !self.none.as_ref().is_some_and(among)
    }
}

/// Reads `apply`.
pub(crate) fn read(at: &Cursor<'_>, node: &Node) -> Vec<Apply> {
    at.each(|at| {
        let mut fields = at.object()?;
        let to = fields.take("to").map(|at| at.each(|at| to(&at)));
        let items = fields.require("rate_limits").map(|at| action::items(&at, node));
        fields.finish();
        if to.as_ref().is_some_and(Vec::is_empty) {
            return at.problem("`to` holds no operation; leave it out to mean every request");
        }
        Some(Apply { to: to.unwrap_or_default(), items: items? })
    })
}

fn to(at: &Cursor<'_>) -> Option<Operation> {
    let mut fields = at.object()?;
    let operation = fields.require("operation").and_then(|at| operation(&at));
    fields.finish();
    operation
}

fn operation(at: &Cursor<'_>) -> Option<Operation> {
    let mut fields = at.object()?;
    let operation = Operation {
        hosts: field(&mut fields, "hosts", "notHosts", |_, text| Some(Pattern::parse_lower(text).even_empty())),
        methods: field(&mut fields, "methods", "notMethods", |_, text| Some(Pattern::parse(text).even_empty())),
        paths: field(&mut fields, "paths", "notPaths", path),
    };
    for name in ["ports", "notPorts"] {
        if let Some(at) = fields.take(name) {
            at.problem::<()>("ports are not supported here");
        }
    }
    fields.finish();
    let Operation { hosts, methods, paths } = &operation;
    if hosts.is_absent() && methods.is_absent() && paths.is_absent() {
        return at.problem("an operation must say something");
    }
    Some(operation)
}

fn path(at: &Cursor<'_>, text: &str) -> Option<Pattern> {
    if !Template::is_meant(text) {
        if text.contains(['{', '}']) {
            return at.problem("of templates only `{*}` and `{**}` are supported");
        }
        return Some(Pattern::parse(text));
    }
    match Template::parse(text) {
        Ok(template) => Some(Pattern::Template(template)),
        Err(error) => at.problem(error.to_string()),
    }
}

type Reader = fn(&Cursor<'_>, &str) -> Option<Pattern>;

fn field(fields: &mut Fields<'_>, any: &'static str, none: &'static str, read: Reader) -> Field {
    let mut list = |name| {
        let at = fields.take(name)?;
        let problems = at.problems();
        let patterns = at.each(|at| read(&at, at.text()?));
        if patterns.is_empty() && at.problems() == problems {
            at.problem::<()>("must not be empty");
        }
        Some(patterns)
    };
    Field { any: list(any), none: list(none) }
}

#[cfg(test)]
mod tests;
