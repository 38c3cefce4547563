//! Envoy without Istio: the bootstrap that comes with Weir with this workload's identity and document in it, or the HTTP filters
//! alone, for a bootstrap of the operator's.

use super::wasm::typed_config;
use crate::input;
use crate::render::Part;
use crate::render::peer::Peer;
use crate::render::plan::Plan;
use crate::render::workload::Proxy;
use serde_json::{Value, json};
use weir_policy::Protocol;

const BOOTSTRAP: &str = include_str!("../../../../envoy-configs/envoy.yaml");
const LISTENERS: &str = "/static_resources/listeners";
const FILTERS: &str = "/filter_chains/0/filters/0/typed_config/http_filters";
const NETWORK_FILTERS: &str = "/filter_chains/0/filters";
const FIRST_CLUSTER: &str = "/static_resources/clusters/0/name";
const PORT: &str = "/address/socket_address/port_value";

/// The bootstrap, or the filters of its only direction.
///
/// # Errors
/// If the bootstrap that comes with Weir has another shape than this expects.
pub(crate) fn render(plan: &Plan, parts: &[Part], peer: &Peer) -> Result<Vec<Value>, String> {
    if plan.is_snippet {
        return Ok(parts.iter().map(|part| json!(filters(plan, part, peer))).collect());
    }
    let mut bootstrap = input::one(BOOTSTRAP)?;
    let unknown = || "the bootstrap that comes with Weir has no listener of the expected shape".to_owned();
    let cluster = bootstrap.pointer(FIRST_CLUSTER).and_then(Value::as_str).ok_or_else(unknown)?.to_owned();
    let listeners = bootstrap.pointer_mut(LISTENERS).and_then(Value::as_array_mut).ok_or_else(unknown)?;
    let template = listeners.first().cloned().ok_or_else(unknown)?;
    listeners.clear();
    for (place, part) in (0..).zip(parts) {
        let mut listener = template.clone();
        let port = listener.pointer(PORT).and_then(Value::as_u64).ok_or_else(unknown)?;
        *listener.pointer_mut(PORT).ok_or_else(unknown)? = json!(port + place);
        if plan.protocol == Protocol::Tcp {
            let own = listener.pointer_mut(NETWORK_FILTERS).and_then(Value::as_array_mut).ok_or_else(unknown)?;
            *own = filters(plan, part, peer).into_iter().chain([tcp_proxy(&cluster)]).collect();
        } else {
            let own = listener.pointer_mut(FILTERS).and_then(Value::as_array_mut).ok_or_else(unknown)?;
            let router = own.pop().ok_or_else(unknown)?;
            *own = filters(plan, part, peer).into_iter().chain([router]).collect();
        }
        let fields = listener.as_object_mut().ok_or_else(unknown)?;
        fields.insert("name".to_owned(), json!(part.direction.word()));
        fields.insert("traffic_direction".to_owned(), json!(part.direction.of_envoy()));
        listeners.push(listener);
    }
    let fields = bootstrap.as_object_mut().ok_or_else(unknown)?;
    fields.insert("node".to_owned(), node(plan));
    Ok(vec![bootstrap])
}

fn tcp_proxy(cluster: &str) -> Value {
    json!({
        "name": "envoy.filters.network.tcp_proxy",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": cluster,
            "cluster": cluster,
        },
    })
}

/// The proxy's identity, which in a mesh Istio fills in. The filters read from the first part of its id what the proxy is for.
fn node(plan: &Plan) -> Value {
    let workload = &plan.workload;
    let kind = if workload.proxy == Proxy::Gateway { "router" } else { "sidecar" };
    json!({
        "id": format!("{kind}~{}.{}", workload.name, workload.namespace),
        "cluster": workload.name,
        "metadata": {"NAMESPACE": workload.namespace, "WORKLOAD_NAME": workload.name, "LABELS": workload.labels},
    })
}

fn filters(plan: &Plan, part: &Part, peer: &Peer) -> Vec<Value> {
    let Part { direction, document, failure, .. } = part;
    let name = format!("{}{}", plan.name(), plan.workload.suffix(*direction));
    let filter = json!({"name": name, "typed_config": typed_config(plan, &name, document, *failure)});
    peer.filter(plan.protocol, &format!("{name}-peer"), document).into_iter().chain([filter]).collect()
}
