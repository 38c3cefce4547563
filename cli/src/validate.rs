//! `weir validate`: compiles documents with the very cores that the filters run.

use crate::Failure;
use crate::documents::{self, Found};
use clap::ValueEnum;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use weir_model::{Filter, Node, Problem, StructValue};

/// A module, and so the schema of its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Module {
    Policy,
    RateLimit,
    Telemetry,
    Suite,
}

impl Module {
    /// The module whose fields `document` has.
    fn of(document: &Value) -> Self {
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

    /// Compiles `document` as the module would on a proxy of each workload that its policies name, because a policy is read
    /// in full only where it is selected. Returns every problem once.
    fn compile(self, document: &Value) -> Vec<Problem> {
        let bytes = document.to_string().into_bytes();
        let mut problems: Vec<Problem> = Vec::new();
        for Workload { proxy, namespace, labels } in workloads(document) {
            let labels = labels.into_iter().map(|(name, value)| (name, StructValue::Text(value))).collect();
            let namespace = ("NAMESPACE".to_owned(), StructValue::Text(namespace));
            let labels = ("LABELS".to_owned(), StructValue::Map(labels));
            let node = Node { id: proxy.to_owned(), metadata: [namespace, labels].into(), ..Node::default() };
            let found = match self {
                Self::Policy => weir_policy::Policy::compile(&bytes, &node).err(),
                Self::RateLimit => weir_rate_limit::RateLimit::compile(&bytes, &node).err(),
                Self::Telemetry => weir_telemetry::Telemetry::compile(&bytes, &node).err(),
                Self::Suite => weir_suite::Suite::compile(&bytes, &node).err(),
            };
            for problem in found.into_iter().flat_map(|problems| problems.0) {
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        }
        problems
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

/// Reads a YAML or JSON file.
pub(crate) fn read(path: &Path) -> Result<Value, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Use(format!("`{}` cannot be read: {error}", path.display())))?;
    serde_yaml_ng::from_str(&text).map_err(|error| Failure::No(format!("`{}` is not YAML: {error}", path.display())))
}

/// Validates the documents in files; prints one line per problem, and one per document that is fine.
pub(crate) fn validate(files: &[PathBuf], module: Option<Module>) -> Result<(), Failure> {
    let (mut bad, mut all) = (0, 0);
    for path in files {
        let file = path.display();
        let found = match documents::read_all(path) {
            Ok(found) => found,
            Err(Failure::Use(problem) | Failure::No(problem)) => {
                say!("{problem}")?;
                (bad, all) = (bad + 1, all + 1);
                continue;
            }
        };
        if found.is_empty() {
            say!("{file}: holds no document of Weir")?;
            (bad, all) = (bad + 1, all + 1);
        }
        for Found { path, document, part } in found {
            let told = module;
            let module = told.unwrap_or_else(|| Module::of(&document));
            let problems = module.compile(&document);
            for problem in &problems {
                let inner = problem.path.strip_prefix(part).unwrap_or(&problem.path);
                say!("{file}: {}", Problem { path: format!("{path}{inner}"), message: problem.message.clone() })?;
            }
            all += 1;
            if problems.is_empty() {
                let place = if path == "$" { String::new() } else { format!(" at {path}") };
                say!("{file}: a valid {module:?} document{place}")?;
            } else {
                if told.is_none() && part == "$" {
                    say!("{file}: read as a {module:?} document; --module says another")?;
                }
                bad += 1;
            }
        }
    }
    if bad == 0 { Ok(()) } else { Err(Failure::No(format!("{bad} of {all} documents cannot be used"))) }
}

#[cfg(test)]
mod tests {
    use super::{Module, Workload, workloads};
    use serde_json::{Value, json};

    fn policy(namespace: &str, spec: Value) -> Value {
        json!({"kind": "AuthorizationPolicy", "metadata": {"namespace": namespace, "name": "p"}, "spec": spec})
    }

    #[test]
    fn every_policy_is_read_for_a_workload_that_it_selects() {
        let bad = json!([{"to": [{"operation": {"paths": ["/{x"]}}]}]);
        for spec in [
            json!({"rules": bad}),
            json!({"selector": {"matchLabels": {"app": "cart"}}, "rules": bad}),
            json!({
                "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"}],
                "rules": bad,
            }),
        ] {
            let policies =
                json!([policy("ok", json!({"rules": [{}]})), {"kind": "List", "items": [policy("shop", spec)]}]);
            let document = json!({"schema": 1, "name": "mesh", "policies": policies});
            let problems = Module::Policy.compile(&document);
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].path.ends_with("operation.paths[0]"), "{problems:?}");
            let suite = json!({"schema": 1, "name": "mesh", "policy": {"policies": policies}});
            assert_eq!(Module::Suite.compile(&suite).len(), 1);
        }
    }

    #[test]
    fn policies_of_a_whole_mesh_are_no_problem() {
        let rules = json!([{}]);
        let target = |group: &str, kind: &str| json!({"targetRefs": [{"group": group, "kind": kind, "name": "x"}], "rules": rules});
        let policies = json!([
            policy("a", json!({"rules": rules})),
            policy("b", json!({"selector": {"matchLabels": {"app": "cart"}}, "rules": rules})),
            policy("c", target("gateway.networking.k8s.io", "Gateway")),
            policy("d", target("", "Service")),
        ]);
        let problems = Module::Policy.compile(&json!({"schema": 1, "name": "mesh", "policies": policies}));
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn a_document_without_policies_is_read_once() {
        for document in [json!({}), json!({"policies": 7}), json!({"policy": {"policies": [7, {"metadata": []}]}})] {
            let found: Vec<Workload> = workloads(&document).into_iter().collect();
            assert_eq!((found.len(), found[0].namespace.as_str()), (1, "default"));
        }
    }
}
