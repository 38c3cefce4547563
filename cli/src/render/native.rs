//! Istio's own metrics beside Weir's: turned off where Weir takes their place, and what the pods need for labels.

use super::plan::Plan;
use crate::input;
use serde_json::{Map, Value, json};

/// The pod annotation that makes Prometheus labels of the labels in Weir's stat names.
const DEPLOYMENT: &str = include_str!("../../../envoy-configs/istio/deployment.yaml");
const ANNOTATIONS: &str = "/spec/template/metadata/annotations";

/// Istio's metrics that Weir counts. Istio goes on with those of TCP connections and of gRPC messages.
const COUNTED: [&str; 4] = ["REQUEST_COUNT", "REQUEST_DURATION", "REQUEST_SIZE", "RESPONSE_SIZE"];

/// The Telemetry object that turns off, for the workload and those directions, what Weir counts in its place.
pub(crate) fn telemetry(plan: &Plan) -> Value {
    let modes = plan.directions.iter().map(|direction| plan.workload.mode(*direction));
    let overrides: Vec<Value> = modes
        .flat_map(|mode| COUNTED.map(|metric| json!({"match": {"metric": metric, "mode": mode}, "disabled": true})))
        .collect();
    let mut spec = Map::from_iter([("metrics".to_owned(), json!([{"overrides": overrides}]))]);
    plan.workload.select(&mut spec, "selector", "matchLabels");
    json!({
        "apiVersion": "telemetry.istio.io/v1",
        "kind": "Telemetry",
        "metadata": plan.metadata(&plan.name()),
        "spec": spec,
    })
}

/// The note on labels: the annotation, and the pods that have to restart for it.
///
/// # Errors
/// If the manifest with the annotation is not readable.
pub(crate) fn labels_note(plan: &Plan) -> Result<String, String> {
    let deployment = input::one(DEPLOYMENT)?;
    let annotations = deployment.pointer(ANNOTATIONS).and_then(Value::as_object).into_iter().flatten();
    let annotations: Vec<String> =
        annotations.map(|(name, value)| format!("{name}: {}", value.as_str().unwrap_or_default())).collect();
    let labels =
        plan.workload.selector.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",");
    Ok(format!(
        "metrics have their labels only where the proxy started with this annotation of the pod; it is read at start, so the pods \
         of {} with {labels} restart once: {}",
        plan.workload.namespace,
        annotations.join(" ")
    ))
}
