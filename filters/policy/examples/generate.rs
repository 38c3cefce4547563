//! Prints a policy document with N rules for benchmarks and swap tests: `generate [N]`, 10,000 by default.
//!
//! The same N always gives the same bytes. Of a hundred rules 34 have an exact path, 30 a prefix that shares its beginning
//! with others, 10 a suffix, 10 a template, 10 a host wildcard, 5 a header with two values, and 1 only negations; every
//! fifth excludes some paths or principals as well. Rule 0 allows `/first`, the middle one `/middle`, the last one
//! `/last`; a GET of `/shared/x` with host `none.invalid` has fifty candidates and is allowed by none of them.

use serde_json::{Value, json};

const CANDIDATES: usize = 50;

fn rule(index: usize, count: usize) -> Value {
    let operation = |field: &str, value: String| json!({"to": [{"operation": {field: [value]}}]});
    if index == 0 {
        return operation("paths", "/first".to_owned());
    }
    if index + 1 == count {
        return operation("paths", "/last".to_owned());
    }
    if index == count / 2 {
        return operation("paths", "/middle".to_owned());
    }
    if index <= CANDIDATES {
        // Only the path leads to these, and the principal refuses: a peer without certificate has none.
        let only = json!([{"operation": {"paths": ["/shared/*"]}}]);
        return json!({"from": [{"source": {"principals": ["*"]}}], "to": only});
    }
    let mut rule = match index % 100 {
        0..34 => operation("paths", format!("/api/v{}/items/{index}", index % 7)),
        34..64 => operation("paths", format!("/files/{}/{index}/*", index % 50)),
        64..74 => operation("paths", format!("*/{index}.json")),
        74..84 => operation("paths", format!("/tenants/{{*}}/orders-{index}/{{**}}")),
        84..94 => operation("hosts", format!("*.tenant-{index}.example")),
        94..99 => {
            let values = [format!("a{index}"), format!("b{index}")];
            json!({"when": [{"key": "request.headers[x-tenant]", "values": values}]})
        }
        // Never true: every request has a method.
        _ => json!({"to": [{"operation": {"notMethods": ["*"], "notPaths": [format!("/never/{index}")]}}]}),
    };
    if index.is_multiple_of(5) {
        let excluded = ("notPaths".to_owned(), json!([format!("/api/private/{index}/*")]));
        match rule.pointer_mut("/to/0/operation").and_then(Value::as_object_mut) {
            Some(operation) => operation.extend([excluded]),
            None => {
                let from = json!([{"source": {"notPrincipals": [format!("cluster.local/ns/x/sa/{index}")]}}]);
                rule.as_object_mut().into_iter().for_each(|rule| rule.extend([("from".to_owned(), from.clone())]));
            }
        }
    }
    rule
}

/// The document with `count` rules, at least 3.
pub(crate) fn document(count: usize) -> Value {
    let rules: Vec<Value> = (0..count).map(|index| rule(index, count)).collect();
    let policy = json!({
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "generated", "namespace": "shop"},
        "spec": {"action": "ALLOW", "rules": rules},
    });
    json!({"schema": 1, "name": "generated", "workload": {"namespace": "shop"}, "policies": [policy]})
}

fn main() {
    let count = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10_000usize);
    println!("{}", document(count.max(3)));
}
