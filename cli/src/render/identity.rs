//! Whether policies ask who the peer is: its certificate says so, so a listener without TLS has no answer.

use serde_json::Value;

/// Fields of a `source` that compare the identity in the peer's certificate.
const FIELDS: [&str; 6] =
    ["principals", "notPrincipals", "namespaces", "notNamespaces", "serviceAccounts", "notServiceAccounts"];

/// Keys of conditions that do.
const KEYS: [&str; 3] = ["source.principal", "source.namespace", "source.serviceAccount"];

/// Whether a policy of the document does.
pub(crate) fn is_asked_for(document: &Value) -> bool {
    let policies = document.get("policy").unwrap_or(document).get("policies").and_then(Value::as_array);
    let rules = policies.into_iter().flatten().filter_map(|policy| policy.pointer("/spec/rules")?.as_array()).flatten();
    let list = |rule: &Value, name: &str| rule.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let of_source = |from: &Value| FIELDS.iter().any(|field| from.pointer(&format!("/source/{field}")).is_some());
    let of_key = |when: &Value| when.get("key").and_then(Value::as_str).is_some_and(|key| KEYS.contains(&key));
    rules.into_iter().any(|rule| list(rule, "from").iter().any(of_source) || list(rule, "when").iter().any(of_key))
}
