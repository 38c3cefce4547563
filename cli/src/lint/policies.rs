//! Policies that refuse everybody, and values in them that no request has, or not every one that is meant.

use super::{items, values};
use crate::diagnostic::Diagnostics;
use serde_json::Value;
use std::collections::BTreeSet;

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

/// Looks at policies that stand alone, as the cluster has them, for what only Weir's document can have.
pub(crate) fn native(list: Option<&Value>, path: &str, diagnostics: &mut Diagnostics) {
    for (index, object) in items(list).iter().enumerate() {
        let path = format!("{path}[{index}]");
        native(object.get("items"), &format!("{path}.items"), diagnostics);
        for (rule, of_rule) in items(object.pointer("/spec/rules")).iter().enumerate() {
            for (at, condition) in items(of_rule.get("when")).iter().enumerate() {
                if condition.get("key").and_then(Value::as_str) == Some("cel") {
                    let message = "Istio refuses an object with this key: keep it out of the cluster, and let `weir render` put it into \
                                   a document";
                    diagnostics.warning("beyond-istio", format!("{path}.spec.rules[{rule}].when[{at}].key"), message);
                }
            }
        }
    }
}

fn policy(object: &Value, path: &str, diagnostics: &mut Diagnostics) {
    let spec = object.get("spec");
    let action = spec.and_then(|spec| spec.get("action")).and_then(Value::as_str).unwrap_or("ALLOW");
    let rules = items(spec.and_then(|spec| spec.get("rules")));
    if action == "ALLOW" && rules.is_empty() {
        let message = "the policy allows nothing: it refuses every request that no other ALLOW policy of the workload \
                       matches; write `rules: [{}]` if it is to allow everything";
        diagnostics.warning("refuses-all", path, message);
    }
    for (index, rule) in rules.iter().enumerate() {
        let path = format!("{path}.spec.rules[{index}]");
        let is_empty = |name: &str| rule.get(name).is_none_or(|part| items(Some(part)).is_empty());
        if action == "DENY" && rule.is_object() && ["from", "to", "when"].into_iter().all(is_empty) {
            diagnostics.warning("refuses-all", &path, "the policy refuses every request: the rule asks nothing");
        }
        for (at, from) in items(rule.get("from")).iter().enumerate() {
            values::source(from.get("source"), &format!("{path}.from[{at}].source"), diagnostics);
        }
        for (at, to) in items(rule.get("to")).iter().enumerate() {
            let path = format!("{path}.to[{at}].operation");
            values::operation(to.get("operation"), &path, diagnostics);
            // A request that these miss is one that the rule should have refused, or should not have allowed.
            let (missed, fate) = match action {
                "DENY" => ("hosts", "not refused by this rule"),
                "ALLOW" => ("notHosts", "allowed by this rule"),
                _ => continue,
            };
            let hosts = items(to.pointer(&format!("/operation/{missed}")));
            ports(hosts, &format!("{path}.{missed}"), fate, diagnostics);
        }
        for (at, condition) in items(rule.get("when")).iter().enumerate() {
            values::condition(condition, &format!("{path}.when[{at}]"), diagnostics);
        }
    }
}

/// Hosts that are compared without a port. The port that a client writes is a part of the host, also a usual one.
fn ports(hosts: &[Value], path: &str, fate: &str, diagnostics: &mut Diagnostics) {
    let hosts: Vec<String> = hosts.iter().filter_map(Value::as_str).map(str::to_ascii_lowercase).collect();
    let has_port = |host: &str| host.rsplit(']').next().unwrap_or(host).contains(':') || host.ends_with('*');
    let sorted: BTreeSet<&str> = hosts.iter().map(String::as_str).collect();
    let prefixes: Vec<&str> = hosts.iter().filter_map(|host| host.strip_suffix('*')).collect();
    let is_bare = |(_, host): &(usize, &String)| {
        let with_port = format!("{host}:");
        let next = sorted.range(with_port.as_str()..).next();
        let is_covered = next.is_some_and(|next| next.starts_with(&with_port))
            || prefixes.iter().any(|prefix| !prefix.starts_with('*') && host.starts_with(prefix));
        !has_port(host) && !is_covered
    };
    let mut bare = hosts.iter().enumerate().filter(is_bare);
    let Some((first, host)) = bare.next() else { return };
    let more = match bare.count() {
        0 => String::new(),
        1 => " and another host".to_owned(),
        more => format!(" and {more} other hosts"),
    };
    let (example, hint) = match host.strip_prefix('*') {
        Some(name) => (format!("a{name}:8080"), format!("write a value for each port too, such as `{host}:8080`")),
        None => (format!("{host}:8080"), format!("write `{host}:*` too")),
    };
    diagnostics.warning(
        "host-without-port",
        format!("{path}[{first}]"),
        format!("`{host}`{more}: requests that have a port in their host, such as `{example}`, are {fate}: {hint}"),
    );
}

#[cfg(test)]
mod tests {
    use super::{native, policies};
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
            ("hosts", "*.shop.example:*", false),
            ("hosts", "*.shop.example:8080", true),
            ("hosts", "*shop*", false),
            ("hosts", " shop.example", false),
            ("hosts", "*", true),
            ("hosts", "[::1]:*", true),
            ("notHosts", "*.shop.example:*", false),
            ("paths", "*/a*", false),
            ("paths", "**", false),
            ("paths", "/a b", false),
            ("paths", "/a ", false),
            ("paths", "/a%20b", true),
            ("paths", "/a*", true),
            ("methods", "GET", true),
            ("methods", "get", false),
            ("methods", "PURGE", true),
            ("methods", "purge", true),
            ("methods", "P*", true),
            ("methods", "GET,POST", false),
            ("methods", "GET, POST", false),
            ("methods", "GET POST", false),
            ("methods", "GET|POST", false),
            ("methods", "GET ", false),
            ("methods", "M-SEARCH", true),
            ("notMethods", "GET|POST", false),
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
        rows.check("a space", found(when("request.headers[ x-a]")).len(), 1);
    }

    /// Which principals Istio makes patterns for that no SPIFFE id fits, with the trust domains that it puts in the place of one
    /// with `*` (`TestReplaceTrustDomainAliases`).
    #[test]
    fn what_no_peer_is_called_is_found() {
        let source = |field: &str, value: &str| json!({"rules": [{"from": [{"source": {field: [value]}}]}]});
        let mut rows = Rows::default();
        for (field, value, matches) in [
            ("principals", "cluster.local/ns/shop/sa/web", true),
            ("principals", "cluster.local/ns/shop/*", true),
            ("principals", "*/ns/shop/sa/web", true),
            ("principals", "*", true),
            ("principals", "*/sa/web", true),
            ("principals", "td*", true),
            ("principals", "*-td/ns/shop/sa/web", true),
            ("principals", "td*/ns/shop/sa/web", true),
            ("principals", "*-td/ns/shop/sa/*", true),
            ("principals", "*-td/ns/*/sa/web", false),
            ("principals", "td*/shop", false),
            ("principals", "t*d/ns/shop/sa/web", false),
            ("principals", "cluster.local/ns/*/sa/web", false),
            ("principals", "*/ns/*/sa/web", false),
            ("principals", "*/ns/shop/*", false),
            ("principals", "*/ns/shop/sa/*", false),
            ("principals", "spiffe://cluster.local/ns/shop/sa/web", false),
            ("principals", "spiffe://cluster.local/*", false),
            ("principals", "*spiffe://cluster.local/ns/shop/sa/web", false),
            ("principals", "cluster.local/ns/shop/sa/web ", false),
            ("notPrincipals", "spiffe://cluster.local/ns/shop/sa/web", false),
            ("namespaces", "shop-*-eu", true),
            ("namespaces", "shop, web", false),
            ("serviceAccounts", "shop/ web", false),
            ("trustDomains", "cluster.local ", false),
        ] {
            let expected: Vec<String> = match matches {
                true => Vec::new(),
                false => vec![format!("$[0].spec.rules[0].from[0].source.{field}[0] never-matches")],
            };
            rows.check(format!("{field} {value}"), found(source(field, value)), expected);
        }
        for (key, value, matches) in [
            ("source.principal", "cluster.local/ns/shop/sa/web", true),
            ("source.principal", "spiffe://cluster.local/ns/shop/sa/web", false),
            ("source.namespace", "shop ", false),
            ("connection.sni", "shop.example ", false),
            ("request.headers[Host]", "*.shop.example:*", false),
            ("request.headers[:method]", "GET,POST", false),
            ("request.headers[:path]", "/a b", false),
            ("request.headers[:path]", "/a?b=c*d", true),
            ("request.headers[x-a]", " a b ", true),
        ] {
            for values in ["values", "notValues"] {
                let spec = json!({"rules": [{"when": [{"key": key, values: [value]}]}]});
                let expected: Vec<String> = match matches {
                    true => Vec::new(),
                    false => vec![format!("$[0].spec.rules[0].when[0].{values}[0] never-matches")],
                };
                rows.check(format!("{key} {value}"), found(spec), expected);
            }
        }
    }

    /// Istio compares the whole `:authority`, with its port, and its documentation asks for `HOST` and `HOST:*`.
    #[test]
    fn hosts_that_a_port_gets_past_are_found() {
        let mut rows = Rows::default();
        for (action, field, hosts, expected) in [
            ("DENY", "hosts", json!(["a.example"]), Some(0)),
            ("DENY", "hosts", json!(["A.example", "a.Example:*"]), None),
            ("DENY", "hosts", json!(["a.example", "a.example:8080"]), None),
            ("DENY", "hosts", json!(["a.example*"]), None),
            ("DENY", "hosts", json!(["a.example", "a.*"]), None),
            ("DENY", "hosts", json!(["*"]), None),
            ("DENY", "hosts", json!(["a.example", "a.example.com:*"]), Some(0)),
            ("DENY", "hosts", json!(["a.example:*", "b.example", "c.example"]), Some(1)),
            ("DENY", "hosts", json!(["*.a.example"]), Some(0)),
            ("DENY", "hosts", json!(["*.a.example", "*.a.example:443"]), None),
            ("DENY", "hosts", json!(["[::1]"]), Some(0)),
            ("DENY", "hosts", json!(["[::1]:80"]), None),
            ("DENY", "notHosts", json!(["a.example"]), None),
            ("ALLOW", "hosts", json!(["a.example"]), None),
            ("ALLOW", "notHosts", json!(["a.example"]), Some(0)),
            ("AUDIT", "hosts", json!(["a.example"]), None),
        ] {
            let place = |at| format!("$[0].spec.rules[0].to[0].operation.{field}[{at}] host-without-port");
            let expected: Vec<String> = expected.map(place).into_iter().collect();
            let spec = json!({"action": action, "rules": [{"to": [{"operation": {field: hosts}}]}]});
            rows.check(&spec, found(spec.clone()), expected);
        }
    }

    #[test]
    fn what_istio_refuses_is_found_where_a_policy_stands_alone() {
        let spec =
            |key: &str| json!({"rules": [{}, {"when": [{"key": "source.ip"}, {"key": key, "values": ["true"]}]}]});
        let object = |key: &str| json!({"kind": "AuthorizationPolicy", "spec": spec(key)});
        let mut diagnostics = Diagnostics::default();
        let list = json!([object("cel"), object("remote.ip"), {"kind": "List", "items": [object("cel")]}]);
        native(Some(&list), "$", &mut diagnostics);
        let found: Vec<&str> = diagnostics.0.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(found, ["$[0].spec.rules[1].when[1].key", "$[2].items[0].spec.rules[1].when[1].key"]);
        assert!(diagnostics.0.iter().all(|one| one.id == Some("beyond-istio")));
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
