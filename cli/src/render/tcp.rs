//! What Istio's AuthorizationPolicies guard beside HTTP. istiod builds network filters of them too, for TCP ports and for
//! connections that are not HTTP (`BuildTCP` of `pilot/pkg/security/authz/builder`); Weir's filters are HTTP filters.

use super::pods;
use super::workload::Labels;
use crate::object::Object;
use crate::tree::Tree;
use serde_json::Value;

/// Protocols that istiod builds a TCP chain for. It takes `appProtocol` of a port, else its name up to the first `-`.
const STREAMS: [&str; 6] = ["tcp", "tls", "https", "mongo", "mysql", "redis"];

/// The most reasons that one note has.
const NAMED: usize = 5;

/// A Service with TCP ports.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    shown: String,
    namespace: Option<String>,
    selector: Labels,
    ports: Vec<String>,
}

impl Service {
    /// The Service that a tree is, if it selects pods and has a port that is TCP for certain; one that names no namespace is in
    /// that of its tree, else in `namespace`.
    pub(crate) fn of(tree: &Tree, namespace: Option<&str>) -> Option<Self> {
        let mut object = Object::of(&tree.value).filter(|object| object.kind == "Service" && object.is_of(""))?;
        let selector = tree.value.pointer("/spec/selector").and_then(pods::read).filter(|labels| !labels.is_empty())?;
        let ports = tree.value.pointer("/spec/ports").and_then(Value::as_array)?.iter().filter(|port| is_stream(port));
        let ports: Vec<String> = ports.map(shown).collect();
        let given = Some(object.namespace.clone()).filter(|own| !own.is_empty());
        let namespace = given.or_else(|| tree.namespace.as_deref().or(namespace).map(str::to_owned));
        object.namespace = namespace.clone().unwrap_or_default();
        (!ports.is_empty()).then(|| Self { shown: object.shown(), namespace, selector, ports })
    }
}

/// Why policies of a workload guard TCP: rules that name ports, and TCP ports of Services of the workload.
pub(crate) fn reasons<'p>(
    policies: impl Iterator<Item = &'p Value>,
    services: &[Service],
    namespace: &str,
    labels: &Labels,
) -> Option<String> {
    let text = |policy: &Value, pointer: &str| policy.pointer(pointer)?.as_str().map(str::to_owned);
    let mut reasons: Vec<String> = policies
        .filter(|policy| names_ports(policy))
        .filter_map(|policy| Some((text(policy, "/metadata/namespace")?, text(policy, "/metadata/name")?)))
        .map(|(namespace, name)| format!("AuthorizationPolicy {namespace}/{name} names ports"))
        .collect();
    let is_its = |service: &&Service| {
        service.namespace.as_deref().is_none_or(|own| own == namespace)
            && service.selector.iter().all(|(key, value)| labels.get(key) == Some(value))
    };
    let served = services.iter().filter(is_its);
    reasons.extend(served.map(|service| format!("{} has TCP ports: {}", service.shown, service.ports.join(", "))));
    let more = reasons.len().saturating_sub(NAMED);
    reasons.truncate(NAMED);
    reasons.extend((more > 0).then(|| format!("{more} more")));
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

fn is_stream(port: &Value) -> bool {
    let text = |name: &str| port.get(name).and_then(Value::as_str);
    let name = text("name").map(|name| name.split('-').next().unwrap_or_default());
    let is_tcp = text("protocol").is_none_or(|protocol| protocol == "TCP");
    let protocol = text("appProtocol").or(name).unwrap_or_default().to_ascii_lowercase();
    is_tcp && STREAMS.contains(&protocol.as_str())
}

fn shown(port: &Value) -> String {
    let number = port.get("port").map(Value::to_string).unwrap_or_default();
    port.get("name").and_then(Value::as_str).map_or(number.clone(), |name| format!("`{name}` {number}"))
}

fn names_ports(policy: &Value) -> bool {
    let list = |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let rules = policy.get("spec").map(|spec| list(spec, "rules")).unwrap_or_default();
    rules.iter().any(|rule| {
        let in_operation = |to: &Value| {
            let operation = to.get("operation");
            ["ports", "notPorts"].iter().any(|name| operation.is_some_and(|operation| operation.get(name).is_some()))
        };
        let in_condition = |when: &Value| when.get("key").is_some_and(|key| key == "destination.port");
        list(rule, "to").iter().any(in_operation) || list(rule, "when").iter().any(in_condition)
    })
}

#[cfg(test)]
mod tests;
