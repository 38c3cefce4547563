//! The bootstrap of every variant: one listener with the variant's filters and a direct response.

use crate::client::BODY;
use serde_json::{Value, json};

/// The ports of one Envoy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) listener: u16,
    pub(crate) admin: u16,
}

fn address(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}

/// A bootstrap with `filters` before the router, of a plain Envoy or of an Istio sidecar.
pub(crate) fn bootstrap(ports: Ports, filters: &[Value], sidecar: bool) -> Value {
    let mut metadata = json!({
        "NAMESPACE": "shop",
        "WORKLOAD_NAME": "cart",
        "LABELS": {"app": "cart", "version": "v1"},
    });
    if let (true, Some(fields)) = (sidecar, metadata.as_object_mut()) {
        fields.insert("ISTIO_VERSION".to_owned(), json!("1.31.0"));
    }
    let id = if sidecar { "sidecar~10.0.0.1~cart.shop~shop.svc.cluster.local" } else { "bench-1" };
    let mut http_filters = filters.to_vec();
    http_filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
    }));
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {"virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{
                "match": {"prefix": "/"},
                "direct_response": {"status": 200, "body": {"inline_string": BODY}},
            }],
        }]},
        "http_filters": http_filters,
    });
    json!({
        "admin": {"address": address(ports.admin)},
        "node": {"id": id, "cluster": "bench", "metadata": metadata},
        "static_resources": {"listeners": [{
            "name": "bench",
            "traffic_direction": "INBOUND",
            "address": address(ports.listener),
            "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": manager,
            }]}],
        }]},
    })
}

/// A Wasm filter with its own VM.
pub(crate) fn wasm(name: &str, module: &std::path::Path, document: &Value) -> Value {
    json!({
        "name": name,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": name,
                "root_id": "weir",
                "failure_policy": "FAIL_RELOAD",
                "vm_config": {
                    "vm_id": name,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": module}},
                },
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": document.to_string(),
                },
            },
        },
    })
}
