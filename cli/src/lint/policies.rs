//! Policies that refuse everybody, and values in them that no request has.

use super::items;
use crate::diagnostic::Diagnostics;
use crate::object::Object;
use serde_json::Value;

/// Looks at a list of AuthorizationPolicies, or of lists of them.
pub(crate) fn policies(list: Option<&Value>, path: &str, diagnostics: &mut Diagnostics) {
    for (index, object) in items(list).iter().enumerate() {
        let path = format!("{path}[{index}]");
        match object.get("items") {
            Some(inner) => policies(Some(inner), &format!("{path}.items"), diagnostics),
            None => policy(object, &path, diagnostics),
        }
    }
}

fn policy(object: &Value, path: &str, diagnostics: &mut Diagnostics) {
    let spec = object.get("spec");
    let action = spec.and_then(|spec| spec.get("action")).and_then(Value::as_str).unwrap_or("ALLOW");
    let rules = items(spec.and_then(|spec| spec.get("rules")));
    let name = Object::of(object).map(|object| object.shown()).unwrap_or_default();
    if action == "ALLOW" && rules.is_empty() {
        let message = format!(
            "{name} allows nothing: it refuses every request that no other ALLOW policy of the workload matches; write \
             `rules: [{{}}]` if it is to allow everything"
        );
        diagnostics.warning("refuses-all", path, message);
    }
    for (index, rule) in rules.iter().enumerate() {
        let path = format!("{path}.spec.rules[{index}]");
        let is_empty = |name: &str| rule.get(name).is_none_or(|part| items(Some(part)).is_empty());
        if action == "DENY" && rule.is_object() && ["from", "to", "when"].into_iter().all(is_empty) {
            let message = format!("{name} refuses every request: the rule asks nothing");
            diagnostics.warning("refuses-all", &path, message);
        }
        for (at, to) in items(rule.get("to")).iter().enumerate() {
            let path = format!("{path}.to[{at}].operation");
            for (field, check) in OPERATION {
                for (at, value) in items(to.pointer(&format!("/operation/{field}"))).iter().enumerate() {
                    if let Some(why) = value.as_str().and_then(check) {
                        let text = value.as_str().unwrap_or_default();
                        diagnostics.warning(
                            "never-matches",
                            format!("{path}.{field}[{at}]"),
                            format!("`{text}` {why}"),
                        );
                    }
                }
            }
        }
        for (at, condition) in items(rule.get("when")).iter().enumerate() {
            let key = condition.get("key").and_then(Value::as_str);
            if let Some(why) = key.and_then(header_key) {
                let key = key.unwrap_or_default();
                diagnostics.warning("never-matches", format!("{path}.when[{at}].key"), format!("`{key}` {why}"));
            }
        }
    }
}

/// What is wrong with one value of a field of `operation`, if no request can have it.
type Check = fn(&str) -> Option<&'static str>;

const OPERATION: [(&str, Check); 6] = [
    ("paths", path),
    ("notPaths", path),
    ("hosts", host),
    ("notHosts", host),
    ("methods", method),
    ("notMethods", method),
];

fn path(text: &str) -> Option<&'static str> {
    if text.contains("://") {
        return Some("matches no path, which begins with `/` and has no scheme or host: write what is behind the host");
    }
    if text.contains(['?', '#']) {
        return Some("matches no path: the query and the fragment are not part of it; cut it at `?` or `#`");
    }
    if [".*", "[^", "\\", "(?", "|"].iter().any(|part| text.contains(part)) && !text.contains('{') {
        return Some(
            "is not a regular expression: every character but one `*` at the beginning or the end stands for itself; \
                     a template has `{*}` for one segment and `{**}` for several",
        );
    }
    let inner = text.strip_prefix('*').unwrap_or(text);
    let inner = inner.strip_suffix('*').unwrap_or(inner);
    if inner.contains('*') && !text.contains('{') {
        return Some(
            "has `*` in the middle, where it stands for itself: write `{*}` for one segment, or `{**}` for several",
        );
    }
    (!text.starts_with(['/', '*', '{']) && !text.is_empty())
        .then_some("matches no path, which begins with `/` (or `*` where it is a suffix)")
}

fn host(text: &str) -> Option<&'static str> {
    if text.contains("://") || text.contains('/') {
        return Some("matches no host, which has no scheme and no path");
    }
    let inner = text.strip_prefix('*').unwrap_or(text);
    let inner = inner.strip_suffix('*').unwrap_or(inner);
    inner.contains('*').then_some("has `*` in the middle, where it stands for itself")
}

fn method(text: &str) -> Option<&'static str> {
    let is_usual = ["get", "head", "post", "put", "patch", "delete", "options", "trace", "connect"]
        .iter()
        .any(|usual| text.eq_ignore_ascii_case(usual));
    (is_usual && text.bytes().any(|byte| byte.is_ascii_lowercase()))
        .then_some("matches no request, as methods are compared with their case: write it in capitals")
}

fn header_key(key: &str) -> Option<&'static str> {
    let name = key.strip_prefix("request.headers[")?.strip_suffix(']')?;
    name.starts_with(['"', '\'']).then_some("names a header with quotes: write `request.headers[name]`")
}

#[cfg(test)]
mod tests {
    use super::policies;
    use crate::diagnostic::Diagnostics;
    use serde_json::{Value, json};
    use weir_testing::Rows;

    fn found(spec: Value) -> Vec<String> {
        let list = json!([{"kind": "AuthorizationPolicy", "metadata": {"name": "a", "namespace": "b"}, "spec": spec}]);
        let mut diagnostics = Diagnostics::default();
        policies(Some(&list), "$", &mut diagnostics);
        let line = |one: &crate::diagnostic::Diagnostic| format!("{} {}", one.path, one.id.unwrap_or_default());
        diagnostics.0.iter().map(line).collect()
    }

    #[test]
    fn what_no_request_can_match_is_found() {
        let operation = |field: &str, value: &str| json!({"rules": [{"to": [{"operation": {field: [value]}}]}]});
        let mut rows = Rows::default();
        for (field, value, matches) in [
            ("paths", "/a", true),
            ("paths", "/a/*", true),
            ("paths", "*/a", true),
            ("paths", "*", true),
            ("paths", "/{*}/a", true),
            ("paths", "/a.b/c-d", true),
            ("paths", "/a/*/b", false),
            ("paths", "/a/.*", false),
            ("paths", "a/b", false),
            ("paths", "https://shop.example/a", false),
            ("paths", "/a?b=c", false),
            ("notPaths", "/a/*/b", false),
            ("hosts", "shop.example", true),
            ("hosts", "*.shop.example", true),
            ("hosts", "shop.example:*", true),
            ("hosts", "https://shop.example", false),
            ("hosts", "shop.*.example", false),
            ("methods", "GET", true),
            ("methods", "get", false),
            ("methods", "PURGE", true),
            ("methods", "purge", true),
        ] {
            let expected: Vec<String> = match matches {
                true => Vec::new(),
                false => vec![format!("$[0].spec.rules[0].to[0].operation.{field}[0] never-matches")],
            };
            rows.check(format!("{field} {value}"), found(operation(field, value)), expected);
        }
        let when = |key: &str| json!({"rules": [{"when": [{"key": key, "values": ["a"]}]}]});
        rows.check(
            "quotes",
            found(when("request.headers[\"x-a\"]")),
            vec!["$[0].spec.rules[0].when[0].key never-matches".to_owned()],
        );
        rows.check("no quotes", found(when("request.headers[x-a]")), Vec::<String>::new());
    }

    #[test]
    fn what_refuses_everybody_is_found() {
        let mut rows = Rows::default();
        for (spec, at) in [
            (json!({}), "$[0]"),
            (json!({"action": "ALLOW", "rules": []}), "$[0]"),
            (json!({"rules": [{}]}), ""),
            (json!({"action": "DENY", "rules": [{}]}), "$[0].spec.rules[0]"),
            (json!({"action": "DENY", "rules": [{"to": [{"operation": {"paths": ["/a"]}}]}]}), ""),
            (json!({"action": "AUDIT"}), ""),
        ] {
            let expected: Vec<String> = if at.is_empty() { Vec::new() } else { vec![format!("{at} refuses-all")] };
            rows.check(&spec, found(spec.clone()), expected);
        }
    }
}
