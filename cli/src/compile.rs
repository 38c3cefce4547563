//! Documents compiled by the very cores that the filters run.

use clap::ValueEnum;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use weir_config::Mode;
use weir_model::{Filter, Node, Problem, Problems, StructValue, Warning};

/// A module, and so the schema of its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Module {
    Policy,
    RateLimit,
    Telemetry,
    Suite,
}

/// What the cores say of a document, each thing once.
#[derive(Debug, Default)]
pub(crate) struct Compiled {
    pub(crate) problems: Vec<Problem>,
    /// What is well formed and cannot do what its author means.
    pub(crate) warnings: Vec<Warning>,
}

/// A section of a document that decides requests, or the whole document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    pub(crate) module: Module,
    /// JSON path of it in the document.
    pub(crate) path: &'static str,
    pub(crate) value: &'a Value,
    pub(crate) mode: &'a str,
}

impl Part<'_> {
    /// Whether it can refuse a request by its rules or limits.
    pub(crate) fn refuses(&self) -> bool {
        self.module != Module::Telemetry && self.mode == "enforce"
    }
}

impl Module {
    /// The word of the command line, and the stem of the module's file.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::RateLimit => "rate-limit",
            Self::Telemetry => "telemetry",
            Self::Suite => "suite",
        }
    }

    /// The module whose fields `document` has.
    pub(crate) fn of(document: &Value) -> Self {
        let has = |names: &[&str]| names.iter().any(|name| document.get(name).is_some());
        if has(&["rate_limits", "local", "global", "apply", "virtual_hosts"]) {
            Self::RateLimit
        } else if has(&["policies", "workload", "providers", "shadow", "audit"]) {
            Self::Policy
        } else if has(&["metricPrefix", "reporter", "cardinality", "peerMetadata"]) {
            Self::Telemetry
        } else {
            Self::Suite
        }
    }

    /// The module of that file or image: `dist/suite.wasm`, `oci://registry.example.com/weir/suite:0.1.0`.
    pub(crate) fn named(source: &str) -> Option<Self> {
        match stem(source) {
            "policy" => Some(Self::Policy),
            "rate-limit" | "rate-limit-lean" => Some(Self::RateLimit),
            "telemetry" | "telemetry-response" => Some(Self::Telemetry),
            "suite" | "suite-lean" => Some(Self::Suite),
            _ => None,
        }
    }

    /// Whether the module of that file or image is known to have no callback for response headers.
    pub(crate) fn misses_responses(source: &str) -> bool {
        matches!(stem(source), "policy" | "telemetry" | "rate-limit-lean" | "suite-lean")
    }

    /// The parts that `document` has, with the mode of each; one that is not a mode is kept as written.
    pub(crate) fn parts(self, document: &Value) -> Vec<Part<'_>> {
        let mode = document.get("mode").and_then(Value::as_str).unwrap_or(Mode::default().word());
        if self != Self::Suite {
            return vec![Part { module: self, path: "$", value: document, mode }];
        }
        let sections = [
            (Self::Policy, "policy", "$.policy"),
            (Self::RateLimit, "rateLimit", "$.rateLimit"),
            (Self::Telemetry, "telemetry", "$.telemetry"),
        ];
        let part = |(module, name, path)| {
            let value: &Value = document.get(name)?;
            Some(Part { module, path, value, mode: value.get("mode").and_then(Value::as_str).unwrap_or(mode) })
        };
        sections.into_iter().filter_map(part).collect()
    }

    /// Compiles `document` as the module would on a proxy of each workload that its policies name, because a policy is read
    /// in full only where it is selected, and on that of `own`, the bootstrap around it. A document that stands alone may
    /// also go to an Envoy without Istio, which is warned of more.
    pub(crate) fn compile(self, document: &Value, own: Option<&Node>, stands_alone: bool) -> Compiled {
        let bytes = document.to_string().into_bytes();
        let mut compiled = Compiled::default();
        let nodes = workloads(document).into_iter().map(Workload::node);
        for (number, node) in own.cloned().into_iter().chain(nodes).enumerate() {
            match self.warnings(&bytes, &node) {
                // What the proxy of a bootstrap cannot see does not depend on what others could not.
                Ok(found) if own.is_none() || number == 0 => add(&mut compiled.warnings, found),
                Ok(_) => {}
                Err(found) => add(&mut compiled.problems, found.0),
            }
            // Its problems are others: what kind of proxy it is, the document would then have to say.
            if stands_alone && let Ok(found) = self.warnings(&bytes, &Node { id: String::new(), ..node }) {
                add(&mut compiled.warnings, found);
            }
        }
        compiled
    }

    /// Compiles `document`, which says itself what its workload is.
    pub(crate) fn compile_for(self, document: &Value) -> Compiled {
        match self.warnings(document.to_string().as_bytes(), &Node::default()) {
            Ok(warnings) => Compiled { warnings, ..Compiled::default() },
            Err(found) => Compiled { problems: found.0, ..Compiled::default() },
        }
    }

    fn warnings(self, document: &[u8], node: &Node) -> Result<Vec<Warning>, Problems> {
        match self {
            Self::Policy => warnings_of::<weir_policy::Policy>(document, node),
            Self::RateLimit => warnings_of::<weir_rate_limit::RateLimit>(document, node),
            Self::Telemetry => warnings_of::<weir_telemetry::Telemetry>(document, node),
            Self::Suite => warnings_of::<weir_suite::Suite>(document, node),
        }
    }
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Policy => "policy",
            Self::RateLimit => "rate limit",
            Self::Telemetry => "telemetry",
            Self::Suite => "suite",
        })
    }
}

/// The name of a file or image without what is around it.
fn stem(source: &str) -> &str {
    let file = source.rsplit('/').next().unwrap_or(source);
    let name = file.split(['@', ':']).next().unwrap_or(file);
    name.strip_suffix(".wasm").unwrap_or(name)
}

fn warnings_of<F: Filter>(document: &[u8], node: &Node) -> Result<Vec<Warning>, Problems> {
    F::compile(document, node).map(|filter| filter.warnings().to_vec())
}

fn add<T: PartialEq>(all: &mut Vec<T>, found: Vec<T>) {
    for one in found {
        if !all.contains(&one) {
            all.push(one);
        }
    }
}

/// Label that Istio gives the pods of a Kubernetes Gateway.
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// A workload that a policy is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Workload {
    /// What the node ids of its proxies begin with.
    proxy: &'static str,
    namespace: String,
    labels: BTreeMap<String, String>,
}

impl Workload {
    /// The node of a proxy of it.
    fn node(self) -> Node {
        let labels = self.labels.into_iter().map(|(name, value)| (name, StructValue::Text(value))).collect();
        let namespace = ("NAMESPACE".to_owned(), StructValue::Text(self.namespace));
        let labels = ("LABELS".to_owned(), StructValue::Map(labels));
        Node { id: self.proxy.to_owned(), metadata: [namespace, labels].into(), ..Node::default() }
    }
}

/// One workload with a sidecar for each namespace and selector that the document's policies name, one for each Gateway, and
/// one of namespace `default` without labels. What `workload` says in the document wins over each of them.
fn workloads(document: &Value) -> BTreeSet<Workload> {
    let mut found =
        BTreeSet::from([Workload { proxy: "sidecar~", namespace: "default".to_owned(), labels: BTreeMap::new() }]);
    let policies = document.get("policy").unwrap_or(document).get("policies");
    let mut waiting: Vec<&Value> = items(policies);
    while let Some(object) = waiting.pop() {
        waiting.extend(items(object.get("items")));
        let Some(namespace) = object.pointer("/metadata/namespace").and_then(Value::as_str) else { continue };
        let mut add = |proxy, labels| found.insert(Workload { proxy, namespace: namespace.to_owned(), labels });
        let selector = object.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
        let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        add("sidecar~", selector.into_iter().flatten().filter_map(text).collect());
        for target in items(object.pointer("/spec/targetRefs")).into_iter().chain(object.pointer("/spec/targetRef")) {
            let gateway = target.get("kind").and_then(Value::as_str) == Some("Gateway");
            if let Some(name) = target.get("name").and_then(Value::as_str).filter(|_| gateway) {
                add("router~", [(GATEWAY_NAME.to_owned(), name.to_owned())].into());
            }
        }
    }
    found
}

fn items(list: Option<&Value>) -> Vec<&Value> {
    list.and_then(Value::as_array).map(|items| items.iter().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
