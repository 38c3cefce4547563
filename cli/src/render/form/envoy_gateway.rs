//! Envoy Gateway's EnvoyExtensionPolicy.
//!
//! Of failures it knows `failOpen` alone, and a VM of its own for each entry, so nothing says which VM.

use crate::render::Part;
use crate::render::code::Code;
use crate::render::failure::Failure;
use crate::render::plan::Plan;
use serde_json::{Map, Value, json};

/// The object; its listeners have no direction.
pub(crate) fn render(plan: &Plan, parts: &[Part]) -> Vec<Value> {
    parts.iter().take(1).map(|part| object(plan, part)).collect()
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
        "kind": "EnvoyExtensionPolicy",
        "metadata": plan.metadata(&plan.name()),
        "spec": spec,
    })
}
