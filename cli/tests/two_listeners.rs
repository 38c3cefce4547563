//! Listeners of both directions with one plugin configuration share one root context inside Envoy. What one stream's
//! listener is must not be taken for the next one's: policies are inert outbound, and must not become so inbound.
//! Needs `make build`.

use serde_json::{Value, json};
use std::path::Path;
use weir_launch::{Client, Launch, Protocol, Request};

fn listener(name: &str, direction: &str, filter: &Value) -> Value {
    let router = json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
    });
    let route = json!({"match": {"prefix": "/"}, "direct_response": {"status": 200}});
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [filter, router],
    });
    json!({
        "name": name,
        "traffic_direction": direction,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": manager,
        }]}],
    })
}

#[test]
fn a_shared_plugin_decides_by_the_listener_of_each_stream() {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/policy.wasm").canonicalize().unwrap();
    let document = json!({"schema": 1, "name": "both", "policies": [{
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "deny", "namespace": "shop"},
        "spec": {"action": "DENY", "rules": [{}]},
    }]});
    let filter = json!({"name": "weir", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {
            "name": "weir",
            "root_id": "weir",
            "vm_config": {"vm_id": "weir", "runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": module}}},
            "configuration": {
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": document.to_string(),
            },
        },
    }});
    let bootstrap = json!({
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "node": {"id": "sidecar~1", "cluster": "c", "metadata": {"NAMESPACE": "shop", "LABELS": {}}},
        "static_resources": {"listeners": [
            listener("in", "INBOUND", &filter),
            listener("out", "OUTBOUND", &filter),
        ]},
    });
    let binary = weir_launch::find_wanted(&mut |line| eprintln!("{line}")).unwrap();
    let envoy = Launch::new(&binary).unwrap().start(&bootstrap.to_string()).unwrap();
    let listeners = envoy.listeners().unwrap();
    let client = Client::new().unwrap();
    for (name, status) in [("out", 200), ("in", 403), ("out", 200), ("in", 403)] {
        let response = client.send(listeners[name], Protocol::Http1, &Request::new("GET", "shop", "/")).unwrap();
        assert_eq!(response.status, status, "{name}");
    }
}
