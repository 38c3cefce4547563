//! Istio's EnvoyFilter: the module comes through extension config discovery, so that a refused configuration leaves the running
//! one in force and holds up no other change of the listener.

use super::wasm::{typed_config, types};
use crate::render::Part;
use crate::render::peer::Peer;
use crate::render::plan::Plan;
use crate::render::workload::Direction;
use serde_json::{Map, Value, json};
use weir_policy::Protocol;

const MANAGER: &str = "envoy.filters.network.http_connection_manager";
const ROUTER: &str = "envoy.filters.http.router";
const TCP_PROXY: &str = "envoy.filters.network.tcp_proxy";

/// Istio's listener for HBONE connections. The requests that it sees are CONNECT requests, around those that are decided.
const CONNECT_TERMINATE: &str = "connect_terminate";

/// The object for all directions.
pub(crate) fn render(plan: &Plan, parts: &[Part], peer: &Peer) -> Vec<Value> {
    let patches = parts.iter().flat_map(|part| patches(plan, part, peer));
    vec![object(plan, &plan.name(), patches.collect())]
}

/// An EnvoyFilter with those patches for the plan's workload.
pub(crate) fn object(plan: &Plan, name: &str, patches: Vec<Value>) -> Value {
    let mut spec = Map::from_iter([
        ("configPatches".to_owned(), Value::Array(patches)),
        ("priority".to_owned(), json!(plan.envoyfilter_priority())),
    ]);
    plan.workload.select(&mut spec, "workloadSelector", "labels");
    json!({
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": plan.metadata(name),
        "spec": spec,
    })
}

/// A patch that puts a filter where decisions are made: an HTTP filter before the router, or before all others, and one of
/// connections before the TCP proxy, so that no chain of HTTP has it.
pub(crate) fn insert(plan: &Plan, direction: Direction, is_first: bool, filter: &Value) -> Value {
    if plan.protocol == Protocol::Tcp {
        return json!({
            "applyTo": "NETWORK_FILTER",
            "match": {
                "context": plan.workload.context(direction),
                "listener": {"filterChain": {"filter": {"name": TCP_PROXY}}},
            },
            "patch": {"operation": "INSERT_BEFORE", "value": filter},
        });
    }
    let manager =
        if is_first { json!({"name": MANAGER}) } else { json!({"name": MANAGER, "subFilter": {"name": ROUTER}}) };
    json!({
        "applyTo": "HTTP_FILTER",
        "match": {"context": plan.workload.context(direction), "listener": {"filterChain": {"filter": manager}}},
        "patch": {"operation": if is_first { "INSERT_FIRST" } else { "INSERT_BEFORE" }, "value": filter},
    })
}

fn patches(plan: &Plan, part: &Part, peer: &Peer) -> Vec<Value> {
    let Part { direction, document, failure, enforces_in_listener } = part;
    let (direction, failure) = (*direction, *failure);
    let context = plan.workload.context(direction);
    // Resources of extension config discovery are found by their name alone, so it tells workload and direction.
    let name = format!("{}.{}{}", plan.workload.namespace, plan.name(), plan.workload.suffix(direction));
    let mut patches = vec![json!({
        "applyTo": "EXTENSION_CONFIG",
        "match": {"context": context},
        "patch": {
            "operation": "ADD",
            "value": {"name": name, "typed_config": typed_config(plan, &name, document, failure)},
        },
    })];
    let before = peer.filter(plan.protocol, &format!("{name}.peer"), document);
    patches.extend(before.iter().map(|filter| insert(plan, direction, false, filter)));
    let own = discovered(plan.protocol, &name, *enforces_in_listener);
    patches.push(insert(plan, direction, false, &own));
    patches.extend(before.iter().chain([&own]).filter_map(|filter| spare_tunnels(plan, direction, filter)));
    patches
}

/// A patch that takes an inserted filter out of the listener that ends tunnels. `None` where no such listener is patched.
pub(crate) fn spare_tunnels(plan: &Plan, direction: Direction, filter: &Value) -> Option<Value> {
    let context = plan.workload.context(direction);
    (context == "SIDECAR_INBOUND" && plan.protocol == Protocol::Http).then(|| {
        json!({
            "applyTo": "HTTP_FILTER",
            "match": {
                "context": context,
                "listener": {
                    "name": CONNECT_TERMINATE,
                    "filterChain": {"filter": {"name": MANAGER, "subFilter": {"name": filter.get("name")}}},
                },
            },
            "patch": {"operation": "REMOVE"},
        })
    })
}

/// The filter whose configuration is discovered. Istio's agent puts an RBAC filter in the place of a module that it cannot
/// have, so that type is allowed too.
fn discovered(protocol: Protocol, name: &str, enforces_policy: bool) -> Value {
    let [wasm, rbac] = types(protocol);
    let mut discovery = json!({
        "config_source": {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"},
        "type_urls": [wasm, rbac],
    });
    if let (false, Some(fields)) = (enforces_policy, discovery.as_object_mut()) {
        // Until the module is there and takes its configuration, an RBAC filter without rules lets requests pass.
        let default = match protocol {
            Protocol::Http => json!({"@type": rbac}),
            Protocol::Tcp => json!({"@type": rbac, "stat_prefix": "weir"}),
        };
        fields.insert("default_config".to_owned(), default);
        fields.insert("apply_default_config_without_warming".to_owned(), json!(true));
    }
    json!({"name": name, "config_discovery": discovery})
}
