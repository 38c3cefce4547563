//! Istio's own metrics beside Weir's: turned off where Weir takes their place, and what the pods need for labels.

use super::plan::Plan;
use super::pods::Pods;
use super::workload::{Proxy, Workload};
use crate::input;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

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

/// The note on a waypoint's Telemetry object: for requests to a service of another namespace istiod takes the selected objects of
/// that namespace in its place (`applicableTelemetries`).
pub(crate) fn waypoint_note(plan: &Plan) -> Option<String> {
    let Workload { proxy, namespace, .. } = &plan.workload;
    (plan.replaces_native && *proxy == Proxy::Waypoint).then(|| {
        format!(
            "the Telemetry object is for services of {namespace} alone: if the waypoint serves another namespace, Istio goes on counting \
             there under the same names, so that its requests count twice, unless that namespace has a Telemetry object with the same \
             `metrics` and `targetRefs` for its Services"
        )
    })
}

/// The annotation that the pods need for labels, as lines of YAML, and the note on the pods that have to restart for it. `None`
/// if the files show that they have it.
///
/// # Errors
/// If the manifest with the annotation is not readable.
pub(crate) fn labels_note(plan: &Plan, pods: &[Pods]) -> Result<Option<(String, String)>, String> {
    let deployment = input::one(DEPLOYMENT)?;
    let wanted = deployment.pointer(ANNOTATIONS).and_then(super::read_labels).unwrap_or_default();
    let own = Pods::find(pods, &plan.workload.namespace, &plan.workload.name);
    let own = own.first().map(|pods| pods.annotations());
    let differs = |(name, value): &(&String, &String)| {
        let own = own.and_then(|own| own.get(*name));
        own.is_none_or(|own| !words(value).is_subset(&words(own)))
    };
    let lines: Vec<String> = wanted.iter().filter(differs).map(|(name, value)| format!("{name}: '{value}'")).collect();
    if lines.is_empty() {
        return Ok(None);
    }
    let labels =
        plan.workload.selector.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",");
    let note = format!(
        "metrics have their labels only where the proxy started with the annotation of the pod that is printed last; it is read \
         at start, so the pods of {} with {labels} restart once",
        plan.workload.namespace,
    );
    Ok(Some((note, lines.join("\n"))))
}

/// The items of a list with commas.
fn words(list: &str) -> BTreeSet<&str> {
    list.split(',').map(str::trim).collect()
}
