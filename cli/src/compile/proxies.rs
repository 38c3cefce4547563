//! The proxies that a document is compiled for where no bootstrap says which one it is for.

use serde_json::Value;
use std::collections::BTreeMap;
use weir_model::{Node, StructValue};

/// Label that Istio gives the pods of a Kubernetes Gateway.
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// A sidecar of a pod without labels, in the namespace of the document's first policy, else in `default`. What `workload`
/// says in the document wins.
pub(super) fn sidecar(policies: &[&Value]) -> Node {
    let mut namespaces = policies.iter().filter_map(|policy| namespace(policy));
    node("sidecar~", namespaces.next().unwrap_or("default"), &[])
}

/// Whether a policy document says which workload it is for, so that its policies for others are none of its business.
pub(super) fn is_placed(document: &Value) -> bool {
    ["namespace", "labels"].iter().all(|name| document.pointer(&format!("/workload/{name}")).is_some())
}

/// A gateway of each namespace that has one and also policies for what only some gateways serve.
pub(super) fn gateways(policies: &[&Value]) -> Vec<Node> {
    let mut found: BTreeMap<&str, (Option<&str>, bool)> = BTreeMap::new();
    for policy in policies {
        let Some(namespace) = namespace(policy) else { continue };
        let targets = items(policy.pointer("/spec/targetRefs"));
        for target in targets.into_iter().chain(policy.pointer("/spec/targetRef")) {
            let text = |name| target.get(name).and_then(Value::as_str);
            let entry = found.entry(namespace).or_default();
            match (text("group"), text("kind")) {
                (Some("gateway.networking.k8s.io"), Some("Gateway")) => entry.0 = entry.0.or(text("name")),
                (_, Some("HTTPRoute" | "Gateway")) => entry.1 = true,
                _ => {}
            }
        }
    }
    let gateway = |(namespace, (name, unknown)): (&str, (Option<&str>, bool))| {
        name.filter(|_| unknown).map(|name| node("router~", namespace, &[(GATEWAY_NAME, name)]))
    };
    found.into_iter().filter_map(gateway).collect()
}

fn node(id: &str, namespace: &str, labels: &[(&str, &str)]) -> Node {
    let text = |text: &str| StructValue::Text(text.to_owned());
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect();
    let metadata = [("NAMESPACE".to_owned(), text(namespace)), ("LABELS".to_owned(), StructValue::Map(labels))].into();
    Node { id: id.to_owned(), metadata, ..Node::default() }
}

fn namespace(policy: &Value) -> Option<&str> {
    policy.pointer("/metadata/namespace")?.as_str()
}

/// The policies of a section, those in lists included, and those that were packed in it.
pub(super) fn policies<'d>(section: &'d Value, packed: Option<&'d Value>) -> Vec<&'d Value> {
    let mut found = Vec::new();
    let mut waiting = items(section.get("policies"));
    waiting.extend(items(packed));
    waiting.reverse();
    while let Some(object) = waiting.pop() {
        let inner = items(object.get("items"));
        waiting.extend(inner.into_iter().rev());
        found.push(object);
    }
    found
}

fn items(list: Option<&Value>) -> Vec<&Value> {
    list.and_then(Value::as_array).map(|items| items.iter().collect()).unwrap_or_default()
}
