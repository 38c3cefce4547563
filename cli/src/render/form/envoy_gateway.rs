//! Envoy Gateway's EnvoyExtensionPolicy.
//!
//! Of failures it knows `failOpen` alone, and a VM of its own for each entry, so nothing says which VM. It attaches one policy
//! to a target, so a chain of modules is one object with several entries.

use crate::attachment::POLICY;
use crate::render::Part;
use crate::render::code::Code;
use crate::render::failure::Failure;
use crate::render::plan::Plan;
use serde_json::{Map, Value, json};

const ENTRIES: &str = "/spec/wasm";

/// The object; its listeners have no direction.
pub(crate) fn render(plan: &Plan, parts: &[Part]) -> Vec<Value> {
    parts.iter().take(1).map(|part| object(plan, part)).collect()
}

/// The objects of a workload with the entries of each target in one, in their order. It keeps the name of the first, so that
/// what is deployed of it is replaced and not joined by a younger object, which Envoy Gateway would refuse.
pub(crate) fn joined(trees: Vec<Value>) -> Vec<Value> {
    let mut joined: Vec<Value> = Vec::new();
    for mut tree in trees {
        let same = |before: &&mut Value| {
            tree.get("kind").is_some_and(|kind| kind == POLICY)
                && ["/kind", "/metadata/namespace", "/spec/targetRefs"]
                    .iter()
                    .all(|pointer| before.pointer(pointer) == tree.pointer(pointer))
        };
        let first = joined.iter_mut().find(same).and_then(|before| before.pointer_mut(ENTRIES)?.as_array_mut());
        match (first, tree.pointer_mut(ENTRIES).and_then(Value::as_array_mut)) {
            (Some(first), Some(entries)) => first.append(entries),
            _ => joined.push(tree),
        }
    }
    joined
}

fn object(plan: &Plan, part: &Part) -> Value {
    let mut image = Map::new();
    if let Code::Image { reference, sha256, pull_secret } = &plan.code {
        image.insert("url".to_owned(), json!(reference));
        image.insert("sha256".to_owned(), json!(sha256));
        if let Some(secret) = pull_secret {
            image.insert("pullSecretRef".to_owned(), json!({"name": secret}));
        }
    }
    let wasm = json!({
        "name": plan.name(),
        "rootID": "weir",
        "failOpen": part.failure == Failure::Open,
        "code": {"type": "Image", "image": image, "pullPolicy": "IfNotPresent"},
        "config": part.document,
    });
    let mut spec = Map::from_iter([("wasm".to_owned(), json!([wasm]))]);
    plan.workload.select(&mut spec, "selector", "matchLabels");
    json!({
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": POLICY,
        "metadata": plan.metadata(&plan.name()),
        "spec": spec,
    })
}
