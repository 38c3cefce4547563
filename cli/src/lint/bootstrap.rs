//! Options of an Envoy bootstrap or listener that change what a filter sees.

use crate::diagnostic::Diagnostic;
use crate::field::{field, spelling};
use crate::input;
use serde_json::Value;

/// What is doubtful in a tree of Envoy's; `has_filters` if a filter of Weir is in it.
pub(crate) fn bootstrap(tree: &Value, path: &str, has_filters: bool) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if has_filters {
        walk(tree, path, &mut found);
    }
    found
}

fn walk(value: &Value, path: &str, found: &mut Vec<Diagnostic>) {
    match value {
        Value::Object(fields) => {
            if field(value, "http_filters").is_some_and(has_wasm) {
                manager(value, path, found);
            }
            if let Some(tags) = spelling(value, "stats_tags")
                && let Some(list) = value.get(&tags).and_then(Value::as_array)
            {
                stats_tags(list, &format!("{path}.{tags}"), found);
            }
            for (name, value) in fields {
                walk(value, &input::field(path, name), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}

fn has_wasm(filters: &Value) -> bool {
    filters.to_string().contains("filters.http.wasm.")
}

/// An HTTP connection manager with a Wasm filter.
fn manager(value: &Value, path: &str, found: &mut Vec<Diagnostic>) {
    if field(value, "normalize_path").is_none_or(|on| on != &Value::Bool(true)) {
        let message = "without `normalize_path: true` paths are compared as clients write them: `/a/../admin` and `/%61dmin` do \
                       not match `/admin`; Istio sets it";
        found.push(Diagnostic::warning("path-not-normalized", at(value, path, "normalize_path"), message));
    }
    let hops = field(value, "xff_num_trusted_hops").and_then(Value::as_u64).unwrap_or(0);
    let detects = field(value, "original_ip_detection_extensions").is_some();
    if field(value, "use_remote_address").is_none_or(|on| on != &Value::Bool(true)) && hops == 0 && !detects {
        let message = "without `use_remote_address: true` the client's address is what it writes into `x-forwarded-for`: rules \
                       and limits on `remoteIpBlocks` and `remote_address` believe it";
        found.push(Diagnostic::warning("client-chosen-address", at(value, path, "use_remote_address"), message));
    }
}

fn at(value: &Value, path: &str, name: &str) -> String {
    spelling(value, name).map_or_else(|| path.to_owned(), |name| format!("{path}.{name}"))
}

/// Expressions that take a label for the tail of another one: both values are damaged.
fn stats_tags(list: &[Value], path: &str, found: &mut Vec<Diagnostic>) {
    let name = |tag: &'_ Value| field(tag, "tag_name").and_then(Value::as_str).map(str::to_owned);
    let names: Vec<String> = list.iter().filter_map(name).collect();
    for (index, tag) in list.iter().enumerate() {
        let (Some(name), Some(regex)) = (name(tag), tag.get("regex").and_then(Value::as_str)) else { continue };
        let is_ours = regex.contains("=\\.=") || regex.contains("=.=");
        let is_anchored = regex.contains("^") || regex.contains(";\\.;)(") || regex.contains("(?:^|");
        let longer = names.iter().find(|other| other.len() > name.len() && other.ends_with(&name));
        if let (true, false, Some(longer)) = (is_ours, is_anchored, longer) {
            let message = format!(
                "the expression also matches the end of `{longer}`, so the values of both labels are damaged: begin it with \
                 `(?:^wasmcustom\\.|;\\.;)`"
            );
            found.push(Diagnostic::warning("stats-tag-ambiguous", format!("{path}[{index}].regex"), message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::bootstrap;
    use serde_json::{Value, json};
    use weir_testing::Rows;

    fn found(tree: &Value) -> Vec<String> {
        bootstrap(tree, "$", true).iter().map(|one| format!("{} {}", one.path, one.id.unwrap_or_default())).collect()
    }

    #[test]
    fn options_that_change_what_a_filter_sees_are_found() {
        let manager = |more: Value| {
            let mut manager =
                json!({"http_filters": [{"typed_config": {"@type": "envoy.extensions.filters.http.wasm.v3.Wasm"}}]});
            manager.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            manager
        };
        let normal = json!({"normalize_path": true, "use_remote_address": true});
        let mut rows = Rows::default();
        for (name, tree, expected) in [
            ("all is well", manager(normal), vec![]),
            ("camel", manager(json!({"normalizePath": true, "useRemoteAddress": true})), vec![]),
            ("defaults", manager(json!({})), vec!["$ path-not-normalized", "$ client-chosen-address"]),
            (
                "off",
                manager(json!({"normalize_path": false, "use_remote_address": false})),
                vec!["$.normalize_path path-not-normalized", "$.use_remote_address client-chosen-address"],
            ),
            ("a trusted proxy", manager(json!({"normalize_path": true, "xff_num_trusted_hops": 1})), vec![]),
            ("no filter", json!({"http_filters": [{"name": "router"}]}), vec![]),
        ] {
            rows.check(name, found(&tree), expected);
        }
    }

    #[test]
    fn stats_tags_that_damage_each_other_are_found() {
        let tag = |name: &str, regex: &str| json!({"tag_name": name, "regex": regex});
        let long = tag("connection_security_policy", "(connection_security_policy=\\.=(.*?);\\.;)");
        let mut rows = Rows::default();
        for (regex, expected) in [
            ("(policy=\\.=(.*?);\\.;)", vec!["$.stats_tags[0].regex stats-tag-ambiguous"]),
            ("(?:^wasmcustom\\.|;\\.;)(policy=\\.=(.*?);\\.;)", vec![]),
            ("^cluster\\.((.+?)\\.)", vec![]),
        ] {
            rows.check(regex, found(&json!({"stats_tags": [tag("policy", regex), long]})), expected);
        }
    }
}
