//! Actions that reach no limit, and limits that no action reaches. An action makes an entry of a descriptor; a descriptor
//! has a limit where each of its entries has the key of a level, in order, and a value that the level takes.

use super::{items, values};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::field::field;
use serde_json::Value;
use std::collections::BTreeSet;

/// A key and a value, which is `None` where only a request tells it.
type Entry<'v> = (&'v str, Option<String>);

/// Looks at a rate limit document, which is at `path`.
pub(crate) fn limits(document: &Value, path: &str, diagnostics: &mut Diagnostics) {
    let mut met = Met::default();
    met.add(0, document, path);
    if !met.configs.is_empty() {
        diagnostics.0.extend(met.warnings().into_iter().map(|(_, warning)| warning));
    }
}

/// Looks at the operations of `apply` in a rate limit document, which is at `path`.
pub(crate) fn apply(document: &Value, path: &str, diagnostics: &mut Diagnostics) {
    for (index, rule) in items(document.get("apply")).iter().enumerate() {
        for (at, to) in items(rule.get("to")).iter().enumerate() {
            let path = format!("{path}.apply[{index}].to[{at}].operation");
            values::operation(to.get("operation"), &path, diagnostics);
        }
    }
}

/// Limits and what they count, of one document or of several that are put together.
#[derive(Debug, Default)]
pub(crate) struct Met<'v> {
    /// Configurations of limits, each with the number of its document and its path.
    configs: Vec<(usize, String, &'v Value)>,
    /// Descriptors, likewise.
    descriptors: Vec<(usize, String, Vec<Entry<'v>>)>,
}

impl<'v> Met<'v> {
    /// Adds what a rate limit document has, which is at `path`.
    pub(crate) fn add(&mut self, number: usize, document: &'v Value, path: &str) {
        let config = document.pointer("/local/config");
        self.configs.extend(config.map(|config| (number, format!("{path}.local.config"), config)));
        self.collect(number, document.get("rate_limits"), &format!("{path}.rate_limits"));
        for (index, rule) in items(document.get("apply")).iter().enumerate() {
            self.collect(number, rule.get("rate_limits"), &format!("{path}.apply[{index}].rate_limits"));
        }
    }

    /// Adds the descriptors of a list of `rate_limits`; one with an action that is not understood is left out.
    fn collect(&mut self, number: usize, list: Option<&'v Value>, path: &str) {
        for (index, item) in items(list).iter().enumerate() {
            let entries: Option<Vec<_>> = items(item.get("actions")).iter().map(entry).collect();
            if let Some(entries) = entries.filter(|entries| !entries.is_empty()) {
                self.descriptors.push((number, format!("{path}[{index}]"), entries));
            }
        }
    }

    /// Whether both sides are there.
    pub(crate) fn has_both(&self) -> bool {
        self.configs.iter().any(|(.., config)| config.get("descriptors").is_some()) && !self.descriptors.is_empty()
    }

    /// What does not meet, each with the number of its document.
    pub(crate) fn warnings(&self) -> Vec<(usize, Diagnostic)> {
        let mut found = Vec::new();
        let mut warn = |number, id, at: &str, message| found.push((number, Diagnostic::warning(id, at, message)));
        let mut reached = BTreeSet::new();
        for (number, at, entries) in &self.descriptors {
            let mut has_limit = false;
            for (of, path, config) in &self.configs {
                let mut paths = BTreeSet::new();
                has_limit |= walk(config, path, entries, &mut paths);
                reached.extend(paths.into_iter().map(|path| (*of, path)));
            }
            if !has_limit {
                let shown: Vec<String> = entries.iter().map(shown).collect();
                let shown = shown.join(", ");
                let message = format!("no limit is for the descriptor ({shown}): it counts nothing");
                warn(*number, "action-without-limit", at, message);
            }
        }
        for (number, path, config) in &self.configs {
            let mut all = Vec::new();
            limited(config, path, &mut all);
            for at in all.into_iter().filter(|at| !reached.contains(&(*number, at.clone()))) {
                let why = if self.descriptors.is_empty() {
                    "no request is counted by this limit: there are no `rate_limits`, whose actions say what is counted"
                } else {
                    "no request is counted by this limit: no item of `rate_limits` has actions with these keys, in this \
                     order and no others"
                };
                warn(*number, "limit-without-action", &at, why.to_owned());
            }
        }
        found
    }
}

fn shown((key, value): &Entry<'_>) -> String {
    value.as_ref().map_or_else(|| (*key).to_owned(), |value| format!("{key}={value}"))
}

/// The entry that an action makes.
fn entry(action: &Value) -> Option<Entry<'_>> {
    let own = |name: &str| field(field(action, name)?, "descriptor_key")?.as_str();
    let value = |name: &str| {
        let value = field(field(action, name)?, "descriptor_value")?.as_str()?;
        Some(value.to_owned())
    };
    for (name, key) in [
        ("generic_key", "generic_key"),
        ("header_value_match", "header_match"),
        ("query_parameter_value_match", "query_match"),
        ("remote_address_match", "remote_address_match"),
    ] {
        if field(action, name).is_some() {
            return Some((own(name).filter(|own| !own.is_empty()).unwrap_or(key), value(name)));
        }
    }
    for name in ["request_headers", "query_parameters"] {
        if field(action, name).is_some() {
            return Some((own(name)?, None));
        }
    }
    ["remote_address", "masked_remote_address", "source_cluster", "destination_cluster"]
        .into_iter()
        .find(|name| field(action, name).is_some())
        .map(|name| (name, None))
}

/// Follows entries down the levels below `level`. Returns whether they end at a limit, or may; such limits are added.
fn walk(level: &Value, path: &str, entries: &[Entry<'_>], reached: &mut BTreeSet<String>) -> bool {
    let Some(((key, value), rest)) = entries.split_first() else { return false };
    let mut found = false;
    for (index, item) in items(level.get("descriptors")).iter().enumerate() {
        let path = format!("{path}.descriptors[{index}]");
        let wanted = match item.get("value") {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        let takes = match value {
            _ if wanted.is_empty() || wanted.contains('*') => true,
            Some(value) => *value == wanted,
            None => true,
        };
        if item.get("key").and_then(Value::as_str) != Some(key) || !takes {
            continue;
        }
        found |= match rest {
            [] if item.get("rate_limit").is_some() => {
                reached.insert(path);
                true
            }
            [] => false,
            rest => walk(item, &path, rest, reached),
        };
    }
    found
}

/// Adds the paths of all descriptors with a limit.
fn limited(level: &Value, path: &str, found: &mut Vec<String>) {
    for (index, item) in items(level.get("descriptors")).iter().enumerate() {
        let path = format!("{path}.descriptors[{index}]");
        if item.get("rate_limit").is_some() {
            found.push(path.clone());
        }
        limited(item, &path, found);
    }
}

#[cfg(test)]
mod tests {
    use super::limits;
    use crate::diagnostic::Diagnostics;
    use serde_json::{Value, json};
    use weir_testing::Rows;

    fn found(rate_limits: Value, descriptors: Value) -> Vec<String> {
        let document =
            json!({"rate_limits": rate_limits, "local": {"config": {"domain": "d", "descriptors": descriptors}}});
        let mut diagnostics = Diagnostics::default();
        limits(&document, "$", &mut diagnostics);
        diagnostics.0.iter().map(|one| format!("{} {}", one.path, one.id.unwrap_or_default())).collect()
    }

    #[test]
    fn actions_and_limits_that_do_not_meet_are_found() {
        let rate = json!({"unit": "day", "requests_per_unit": 1});
        let header = |key: &str| json!({"request_headers": {"header_name": "x-user", "descriptor_key": key}});
        let generic = |value: &str| json!({"genericKey": {"descriptorValue": value}});
        let limit = |key: &str, value: &str| json!({"key": key, "value": value, "rate_limit": rate});
        let nested = json!([{"key": "generic_key", "value": "a", "descriptors": [limit("user", "")]}]);
        let without = "$.rate_limits[0] action-without-limit";
        let limit_at = |at: &str| format!("$.local.config.descriptors{at} limit-without-action");
        let mut rows = Rows::default();
        for (name, actions, descriptors, expected) in [
            ("the key", vec![header("user")], json!([limit("user", "")]), vec![]),
            ("any value", vec![header("user")], json!([limit("user", "bob"), limit("user", "a*")]), vec![]),
            (
                "misspelt",
                vec![header("user-id")],
                json!([limit("user_id", "")]),
                vec![without.to_owned(), limit_at("[0]")],
            ),
            ("the value", vec![generic("a")], json!([limit("generic_key", "a")]), vec![]),
            (
                "another value",
                vec![generic("b")],
                json!([limit("generic_key", "a")]),
                vec![without.to_owned(), limit_at("[0]")],
            ),
            ("a wildcard", vec![generic("abc")], json!([limit("generic_key", "a*")]), vec![]),
            ("nested", vec![generic("a"), header("user")], nested.clone(), vec![]),
            ("too short", vec![generic("a")], nested.clone(), vec![without.to_owned(), limit_at("[0].descriptors[0]")]),
            (
                "out of order",
                vec![header("user"), generic("a")],
                nested.clone(),
                vec![without.to_owned(), limit_at("[0].descriptors[0]")],
            ),
            ("no descriptors", vec![json!({"remote_address": {}})], json!([]), vec![without.to_owned()]),
        ] {
            rows.check(name, found(json!([{"actions": actions}]), descriptors), expected);
        }
        rows.check("no actions", found(json!([]), nested), vec![limit_at("[0].descriptors[0]")]);
    }
}
