//! One list of access rules, written both as an Istio AuthorizationPolicy and as Envoy's own RBAC, so that both do the
//! same work. The request of the benchmark is allowed by the last rule and by no other.

use serde_json::{Map, Value, json};

/// The pattern of one rule; every rule also asks for `GET`.
enum Path {
    Exact(String),
    Prefix(String),
    Suffix(String),
}

fn paths(count: usize) -> Vec<Path> {
    let mut paths: Vec<Path> = (1..count)
        .map(|index| match index % 3 {
            0 => Path::Exact(format!("/api/v{}/items/{index}", index % 7)),
            1 => Path::Prefix(format!("/files/{}/{index}/", index % 50)),
            _ => Path::Suffix(format!("/{index}.json")),
        })
        .collect();
    paths.push(Path::Exact("/bench/last".to_owned()));
    paths
}

/// One ALLOW policy with `count` rules.
pub(crate) fn authorization_policy(count: usize) -> Value {
    let rules: Vec<Value> = paths(count)
        .iter()
        .map(|path| {
            let pattern = match path {
                Path::Exact(text) => text.clone(),
                Path::Prefix(text) => format!("{text}*"),
                Path::Suffix(text) => format!("*{text}"),
            };
            json!({"to": [{"operation": {"methods": ["GET"], "paths": [pattern]}}]})
        })
        .collect();
    json!({
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "bench", "namespace": "shop"},
        "spec": {"action": "ALLOW", "rules": rules},
    })
}

/// The same with an expression in CEL in the last rule, which is true.
pub(crate) fn with_expression(count: usize, expression: &str) -> Value {
    let mut policy = authorization_policy(count);
    let last = policy.pointer_mut("/spec/rules").and_then(Value::as_array_mut).and_then(|rules| rules.last_mut());
    last.into_iter().for_each(|rule| rule["when"] = json!([{"key": "cel", "values": [expression]}]));
    policy
}

/// One DENY policy with `count` rules, each for direct addresses that are not the client's.
pub(crate) fn by_address(count: usize) -> Value {
    let away = |index: usize| json!({"from": [{"source": {"ipBlocks": [format!("10.9.{index}.0/24")]}}]});
    let rules: Vec<Value> = (0..count).map(away).collect();
    json!({
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "bench", "namespace": "shop"},
        "spec": {"action": "DENY", "rules": rules},
    })
}

/// One ALLOW policy with `count` rules, each for peers of a name. The last is for the client of the benchmark, which has a
/// certificate where the listener asks for one.
pub(crate) fn by_principal(count: usize) -> Value {
    let named =
        |index: usize| json!({"from": [{"source": {"principals": [format!("cluster.local/ns/shop/sa/{index}")]}}]});
    let mut rules: Vec<Value> = (1..count).map(named).collect();
    let client = json!({"source": {"principals": ["cluster.local/ns/web/sa/front"]}});
    rules.push(json!({"from": [client, {"source": {"notPrincipals": ["*"]}}]}));
    json!({
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "bench", "namespace": "shop"},
        "spec": {"action": "ALLOW", "rules": rules},
    })
}

/// The same as the `rules` of Envoy's RBAC filter, ids as Istio writes them.
pub(crate) fn rbac(count: usize) -> Value {
    let mut policies = Map::new();
    for (index, path) in paths(count).iter().enumerate() {
        let matcher = match path {
            Path::Exact(text) => json!({"exact": text}),
            Path::Prefix(text) => json!({"prefix": text}),
            Path::Suffix(text) => json!({"suffix": text}),
        };
        let permission = json!({"and_rules": {"rules": [
            {"or_rules": {"rules": [{"header": {"name": ":method", "string_match": {"exact": "GET"}}}]}},
            {"or_rules": {"rules": [{"url_path": {"path": matcher}}]}},
        ]}});
        policies.insert(
            format!("ns[shop]-policy[bench]-rule[{index}]"),
            json!({"permissions": [permission], "principals": [{"and_ids": {"ids": [{"any": true}]}}]}),
        );
    }
    json!({"action": "ALLOW", "policies": policies})
}

/// One limit key: the user of a request.
pub(crate) fn rate_limits() -> Value {
    json!([{"actions": [{"request_headers": {"header_name": "x-user", "descriptor_key": "user"}}]}])
}
