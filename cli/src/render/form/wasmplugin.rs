//! Istio's WasmPlugin: one for each direction, as each has a document of its own.
//!
//! Istio sets no `vm_id` for it. All WasmPlugins of a proxy that run the same code share one VM, and all share one space of
//! shared data.

use super::envoyfilter;
use super::wasm::root_id;
use crate::render::Part;
use crate::render::code::Code;
use crate::render::peer::Peer;
use crate::render::plan::Plan;
use crate::render::workload::Direction;
use serde_json::{Map, Value, json};
use weir_policy::Protocol;

/// The objects for all directions.
pub(crate) fn render(plan: &Plan, parts: &[Part], peer: &Peer) -> Vec<Value> {
    let mut objects: Vec<Value> = parts
        .iter()
        .map(|part| {
            let mut spec = wasm(plan, part);
            spec.extend(placement(plan, part.direction));
            object(plan, part.direction, "WasmPlugin", spec)
        })
        .collect();
    objects.extend(peer_filter(plan, parts, peer));
    objects
}

/// An object of `extensions.istio.io` for one direction.
pub(super) fn object(plan: &Plan, direction: Direction, kind: &str, spec: Map<String, Value>) -> Value {
    json!({
        "apiVersion": "extensions.istio.io/v1alpha1",
        "kind": kind,
        "metadata": plan.metadata(&format!("{}{}", plan.name(), plan.workload.suffix(direction))),
        "spec": spec,
    })
}

/// The module, its document, and what happens without it.
pub(super) fn wasm(plan: &Plan, part: &Part) -> Map<String, Value> {
    let mut fields = Map::from_iter([
        ("type".to_owned(), json!(if plan.protocol == Protocol::Tcp { "NETWORK" } else { "HTTP" })),
        ("pluginName".to_owned(), json!(root_id(plan.protocol))),
        ("failStrategy".to_owned(), json!(part.failure.word())),
        ("pluginConfig".to_owned(), part.document.clone()),
    ]);
    match &plan.code {
        // Istio compares no digest of a file.
        Code::File(path) => {
            fields.insert("url".to_owned(), json!(format!("file://{path}")));
        }
        Code::Image { reference, sha256, pull_secret } => {
            fields.insert("url".to_owned(), json!(format!("oci://{reference}")));
            fields.insert("sha256".to_owned(), json!(sha256));
            fields.insert("imagePullPolicy".to_owned(), json!("IfNotPresent"));
            if let Some(secret) = pull_secret {
                fields.insert("imagePullSecret".to_owned(), json!(secret));
            }
        }
    }
    fields
}

/// Which listeners of which proxies, and where among Istio's own filters. A priority that is left out is the least of all,
/// and a match that is left out is both directions.
pub(super) fn placement(plan: &Plan, direction: Direction) -> Map<String, Value> {
    let mut listeners = json!({"mode": plan.workload.mode(direction)});
    if let (false, Some(fields)) = (plan.ports.is_empty(), listeners.as_object_mut()) {
        let ports = plan.ports.iter().map(|port| json!({"number": port}));
        fields.insert("ports".to_owned(), ports.collect());
    }
    let mut fields = Map::from_iter([
        ("match".to_owned(), json!([listeners])),
        ("phase".to_owned(), json!(plan.phase.word())),
        ("priority".to_owned(), json!(plan.priority)),
    ]);
    plan.workload.select(&mut fields, "selector", "matchLabels");
    fields
}

/// The EnvoyFilter that writes filter state before all other filters, as a WasmPlugin stands before the router's place.
pub(super) fn peer_filter(plan: &Plan, parts: &[Part], peer: &Peer) -> Option<Value> {
    let name = format!("{}-peer", plan.name());
    let patches = parts.iter().filter_map(|part| {
        let name = format!("{}.{name}{}", plan.workload.namespace, plan.workload.suffix(part.direction));
        let filter = peer.filter(plan.protocol, &name, &part.document)?;
        let inserted = envoyfilter::insert(plan, part.direction, true, &filter);
        Some([Some(inserted), envoyfilter::spare_tunnels(plan, part.direction, &filter)])
    });
    let patches: Vec<Value> = patches.flatten().flatten().collect();
    (!patches.is_empty()).then(|| envoyfilter::object(plan, &name, patches))
}
