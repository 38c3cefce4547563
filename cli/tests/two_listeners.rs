//! Listeners of both directions with one plugin configuration share one root context inside Envoy. What one stream's
//! listener is must not be taken for the next one's: policies are inert outbound, and must not become so inbound.
//! Needs `make build`.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test ends where it fails")]

use serde_json::{Value, json};
use std::path::Path;
use weir_launch::{Client, Envoy, Launch, Protocol, Request};
use weir_testing::Rows;

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

/// An Envoy with the id of a sidecar and the same plugin on a listener of each direction.
fn both(module: &str, document: &Value) -> Envoy {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist").join(module).canonicalize().unwrap();
    let filter = json!({"name": "weir", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {
            "name": "weir",
            "root_id": "weir",
            "vm_config": {"vm_id": "weir", "runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": path}}},
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
    Launch::new(&binary).unwrap().start(&bootstrap.to_string()).unwrap()
}

/// Sends one request to each of the named listeners in turn.
fn expect(envoy: &Envoy, steps: &[(&str, u16)]) {
    let listeners = envoy.listeners().unwrap();
    let client = Client::new().unwrap();
    let mut rows = Rows::default();
    for (index, (name, status)) in steps.iter().enumerate() {
        let response = client.send(listeners[*name], Protocol::Http1, &Request::new("GET", "shop", "/")).unwrap();
        rows.check(format!("{name}, step {index}"), response.status, *status);
    }
}

#[test]
fn a_shared_plugin_decides_by_the_listener_of_each_stream() {
    let envoy = both(
        "policy.wasm",
        &json!({"schema": 1, "name": "both", "policies": [{
            "kind": "AuthorizationPolicy",
            "metadata": {"name": "deny", "namespace": "shop"},
            "spec": {"action": "DENY", "rules": [{}]},
        }]}),
    );
    expect(&envoy, &[("out", 200), ("in", 403), ("out", 200), ("in", 403)]);
}

#[test]
fn each_listener_of_a_shared_plugin_has_limits_of_its_own() {
    let envoy = both(
        "rate-limit.wasm",
        &json!({
            "schema": 1,
            "name": "both",
            "rate_limits": [{"actions": [{"generic_key": {"descriptor_value": "all"}}]}],
            "local": {"config": {"domain": "both", "descriptors": [
                {"key": "generic_key", "value": "all", "rate_limit": {"unit": "year", "requests_per_unit": 2}},
            ]}},
        }),
    );
    expect(&envoy, &[("out", 200), ("in", 200), ("out", 200), ("out", 429), ("in", 200), ("in", 429), ("out", 429)]);
}

#[test]
fn a_shared_plugin_reports_each_stream_from_its_own_side() {
    let envoy = both("telemetry.wasm", &json!({"schema": 1, "name": "both"}));
    // More of one direction than it takes to learn what streams are like.
    let mut steps = vec![("in", 200); 12];
    steps.extend([("out", 200), ("in", 200), ("out", 200)]);
    expect(&envoy, &steps);
    let stats = envoy.counted("/stats?filter=istio_requests_total").unwrap();
    let total = |reporter: &str| -> u64 {
        let lines = stats.lines().filter(|line| line.contains(&format!("reporter=.={reporter};")));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    };
    assert_eq!((total("destination"), total("source")), (13, 2), "{stats}");
}
