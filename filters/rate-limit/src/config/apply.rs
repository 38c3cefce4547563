//! `apply`: limits for some requests only, in the words of AuthorizationPolicy's `operation`, as written.

use super::action;
use crate::compiled::apply::{Apply, Field, Operation};
use weir_config::{Cursor, Fields};
use weir_matching::{Pattern, Template};
use weir_model::Node;

/// Reads `apply`.
#[inline(never)]
pub(crate) fn read(at: &Cursor<'_>, node: &Node) -> Vec<Apply> {
    at.each(|at| {
        let mut fields = at.object()?;
        let to = fields.take("to").map(|at| {
            let before = at.problems();
            let operations = at.each(|at| to(&at));
            if operations.is_empty() && at.problems() == before {
                at.problem::<()>("an empty list is not an operation; leave `to` out to mean every request");
            }
            operations
        });
        let items = fields.require("rate_limits").map(|at| action::items(&at, node));
        fields.finish();
        Some(Apply { to: to.unwrap_or_default(), items: items? })
    })
}

fn to(at: &Cursor<'_>) -> Option<Operation> {
    let mut fields = at.object()?;
    let operation = fields.require("operation").and_then(|at| operation(&at));
    fields.finish();
    operation
}

#[inline(never)]
fn operation(at: &Cursor<'_>) -> Option<Operation> {
    let mut fields = at.object()?;
    let before = at.problems();
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
    // Where something that it says is a problem, that is the mistake.
    if hosts.is_absent() && methods.is_absent() && paths.is_absent() && at.problems() == before {
        return at.problem("an operation must say something");
    }
    Some(operation)
}

#[inline(never)]
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
