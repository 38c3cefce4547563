//! For a person: `FILE:LINE:COLUMN: error: KIND NAMESPACE/NAME: PATH: what is wrong`. What is said of several places of a file in
//! the same words is one line.

use super::super::report::{Line, Report};
use crate::compile::RulesTried;
use crate::diagnostic::{Severity, count};
use crate::input;
use crate::print::plain;
use std::collections::BTreeMap;

/// The most places that a line names beside its own.
const PLACES: usize = 3;
/// The most rules that are named.
const RULES: usize = 8;

pub(super) fn of(report: &Report<'_>) -> String {
    let mut lines = lines(report.lines.iter());
    lines.push(summary(report));
    // What is wrong comes first.
    lines.extend(rules(&report.rules).filter(|_| report.count(Severity::Error) == 0));
    if !report.passed.is_empty() {
        let class = |(class, count): (&String, &usize)| match count {
            1 => class.clone(),
            count => format!("{class} ({count})"),
        };
        let passed: Vec<String> = report.passed.iter().map(class).collect();
        lines.push(plain(&format!("passed over: {}", passed.join(", "))));
    }
    lines.join("\n")
}

/// The lines for findings, in their order.
pub(in super::super) fn lines<'l>(findings: impl Iterator<Item = &'l Line>) -> Vec<String> {
    let mut groups: Vec<Vec<&Line>> = Vec::new();
    let mut known = BTreeMap::new();
    for finding in findings {
        let Line { file, diagnostic, .. } = finding;
        let key = (file, diagnostic.severity, input::in_any_item(&diagnostic.path), &diagnostic.message);
        let group = *known.entry(key).or_insert(groups.len());
        match groups.get_mut(group) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups.iter().filter_map(|group| group.split_first()).map(|(first, others)| with_places(first, others)).collect()
}

/// The line for one finding.
pub(in super::super) fn line(line: &Line) -> String {
    with_places(line, &[])
}

/// The line for findings that differ in their places alone.
fn with_places(first: &Line, others: &[&Line]) -> String {
    let Line { file, at, object, diagnostic } = first;
    let at = at.map(|at| format!(":{}:{}", at.line, at.column)).unwrap_or_default();
    let object = object.as_ref().map(|object| format!("{object}: ")).unwrap_or_default();
    let path = diagnostic.shown_path();
    let also = also(others);
    plain(&format!("{file}{at}: {}: {object}{path}: {}{also}", diagnostic.severity.word(), diagnostic.text()))
}

/// The other places.
fn also(others: &[&Line]) -> String {
    if others.is_empty() {
        return String::new();
    }
    let place = |line: &&Line| line.at.map(|at| format!("{}:{}", at.line, at.column));
    let places: Vec<String> = others.iter().take(PLACES).filter_map(place).collect();
    let more = match others.len().saturating_sub(PLACES) {
        0 => String::new(),
        more => format!(" and {}", count(more, "other place", "other places")),
    };
    format!(" (also at {}{more})", places.join(", "))
}

/// How many rules every request is checked against, and which.
fn rules(rules: &RulesTried) -> Option<String> {
    let RulesTried { all, always } = rules;
    let is = if *all == 1 || always.len() == 1 { "is" } else { "are" };
    let how_many = format!("{} of {} {is} tried on every request", always.len(), count(*all, "rule", "rules"));
    let named: Vec<&str> = always.iter().take(RULES).map(String::as_str).collect();
    let more = match always.len().saturating_sub(RULES) {
        0 => String::new(),
        more => format!(" and {more} more (`--output json` has all)"),
    };
    match (all, named.is_empty()) {
        (0, _) => None,
        (_, true) => Some(how_many),
        (_, false) => Some(plain(&format!("{how_many}: {}{more}", named.join(", ")))),
    }
}

fn summary(report: &Report<'_>) -> String {
    let documents = report
        .documents
        .iter()
        .map(|(module, number)| count(*number, &format!("{module} document"), &format!("{module} documents")));
    let others = [
        (report.policies, "AuthorizationPolicy", "AuthorizationPolicies"),
        (report.limits, "envoyproxy/ratelimit configuration", "envoyproxy/ratelimit configurations"),
        (report.actions, "set of rate limit actions", "sets of rate limit actions"),
        (report.compositions, "`weir.yaml`", "`weir.yaml` files"),
    ];
    let others =
        others.into_iter().filter(|(number, ..)| *number > 0).map(|(number, one, many)| count(number, one, many));
    let read: Vec<String> = documents.chain(others).collect();
    let read =
        if read.is_empty() { "no document of Weir (it begins with `schema: 1`)".to_owned() } else { read.join(", ") };
    let files = count(report.files, "file", "files");
    let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
    let found = match (errors, warnings) {
        (0, 0) => "no errors".to_owned(),
        (0, warnings) => format!("no errors, {}", count(warnings, "warning", "warnings")),
        (errors, 0) => count(errors, "error", "errors"),
        (errors, warnings) => {
            format!("{}, {}", count(errors, "error", "errors"), count(warnings, "warning", "warnings"))
        }
    };
    format!("{files}: {read}: {found}")
}
