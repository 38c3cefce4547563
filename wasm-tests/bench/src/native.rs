//! Envoy's own filters, on the same work as ours.

use crate::rules;
use crate::scene::Scene;
use serde_json::{Value, json};

fn native(name: &str, kind: &str, mut config: Value) -> Value {
    if let Some(fields) = config.as_object_mut() {
        fields.insert("@type".to_owned(), json!(format!("type.googleapis.com/{kind}")));
    }
    json!({"name": name, "typed_config": config})
}

/// RBAC with a list of policies, as istiod writes them.
pub(crate) fn rbac(count: usize) -> Value {
    let config = json!({"rules": rules::rbac(count)});
    native("envoy.filters.http.rbac", "envoy.extensions.filters.http.rbac.v3.RBAC", config)
}

/// RBAC with a matcher tree of exact paths.
pub(crate) fn rbac_matcher(count: usize) -> Value {
    let action = |name: &str, action: &str| {
        json!({"action": {"name": name, "typed_config": {
            "@type": "type.googleapis.com/envoy.config.rbac.v3.Action", "name": name, "action": action,
        }}})
    };
    let map: serde_json::Map<String, Value> = (1..count)
        .map(|index| format!("/api/v{}/items/{index}", index % 7))
        .chain(["/bench/last".to_owned()])
        .map(|path| (path.clone(), action(&path, "ALLOW")))
        .collect();
    let config = json!({"matcher": {
        "matcher_tree": {
            "input": {"name": "path", "typed_config": {
                "@type": "type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput",
                "header_name": ":path",
            }},
            "exact_match_map": {"map": map},
        },
        "on_no_match": action("none", "DENY"),
    }});
    native("envoy.filters.http.rbac", "envoy.extensions.filters.http.rbac.v3.RBAC", config)
}

/// The local limit, for everybody together or for each value of `x-user`.
pub(crate) fn local_rate_limit(keyed: bool) -> Value {
    let always = json!({"default_value": {"numerator": 100, "denominator": "HUNDRED"}});
    let bucket = json!({"max_tokens": 1_000_000_000, "tokens_per_fill": 1_000_000_000, "fill_interval": "86400s"});
    let mut config = json!({
        "stat_prefix": "bench",
        "token_bucket": bucket,
        "filter_enabled": always,
        "filter_enforced": always,
    });
    if let (true, Some(fields)) = (keyed, config.as_object_mut()) {
        fields.insert("rate_limits".to_owned(), rules::rate_limits());
        fields.insert("descriptors".to_owned(), json!([{"entries": [{"key": "user"}], "token_bucket": bucket}]));
        fields.insert("always_consume_default_token_bucket".to_owned(), json!(false));
    }
    native(
        "envoy.filters.http.local_ratelimit",
        "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        config,
    )
}

/// The name of the cluster of services.
pub(crate) const SERVICES: &str = "services";

/// The authorization and the limit, each asked of a service.
pub(crate) fn services() -> Vec<Value> {
    let service = json!({"envoy_grpc": {"cluster_name": SERVICES}, "timeout": "1s"});
    let authorization = native(
        "envoy.filters.http.ext_authz",
        "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        json!({"grpc_service": service, "transport_api_version": "V3"}),
    );
    let limit = native(
        "envoy.filters.http.ratelimit",
        "envoy.extensions.filters.http.ratelimit.v3.RateLimit",
        json!({
            "domain": "bench",
            "failure_mode_deny": true,
            "rate_limits": rules::rate_limits(),
            "rate_limit_service": {"grpc_service": service, "transport_api_version": "V3"},
        }),
    );
    vec![authorization, limit]
}

/// A script that reads two headers.
pub(crate) fn lua() -> Value {
    let code = "function envoy_on_request(handle)\n  local headers = handle:headers()\n  \
                local user = headers:get('x-user')\n  local tenant = headers:get('x-tenant')\nend\n";
    native(
        "envoy.filters.http.lua",
        "envoy.extensions.filters.http.lua.v3.Lua",
        json!({"default_source_code": {"inline_string": code}}),
    )
}

/// The stats access logger with Istio's four HTTP metrics and 25 labels. What a scene does not change is fixed text, and
/// the rest is what its command operators offer for the value that Istio's filter has.
pub(crate) fn stats_logger(scene: Scene) -> Value {
    let inbound = scene != Scene::Outbound;
    let istio = scene != Scene::Plain;
    let (own, peer) = (
        ("cart", "shop", "v1"),
        if istio && !inbound { ("stock-v1", "shop", "v1") } else { ("unknown", "unknown", "latest") },
    );
    let (source, destination) = if inbound { (peer, own) } else { (own, peer) };
    let principal = |operator: &'static str| if scene.tls() { operator } else { "unknown" };
    let services = "%CLUSTER_METADATA(istio:services)%";
    let service = |plain: &'static str| if istio { services } else { plain };
    let tags = [
        ("reporter", if inbound { "destination" } else { "source" }),
        ("source_workload", source.0),
        ("source_canonical_service", source.0),
        ("source_canonical_revision", source.2),
        ("source_workload_namespace", source.1),
        ("source_principal", principal("%DOWNSTREAM_PEER_URI_SAN%")),
        ("source_app", source.0),
        ("source_version", source.2),
        ("source_cluster", "c1"),
        ("destination_workload", destination.0),
        ("destination_workload_namespace", destination.1),
        ("destination_principal", principal("%DOWNSTREAM_LOCAL_URI_SAN%")),
        ("destination_app", destination.0),
        ("destination_version", destination.2),
        ("destination_service", service("unknown")),
        ("destination_canonical_service", destination.0),
        ("destination_canonical_revision", destination.2),
        ("destination_service_name", if istio { "%UPSTREAM_CLUSTER%" } else { "cart" }),
        ("destination_service_namespace", "shop"),
        ("destination_cluster", "c1"),
        ("request_protocol", "%PROTOCOL%"),
        ("response_code", "%RESPONSE_CODE%"),
        ("grpc_response_status", "%GRPC_STATUS_NUMBER%"),
        ("response_flags", "%RESPONSE_FLAGS%"),
        ("connection_security_policy", if scene.tls() { "mutual_tls" } else { "none" }),
    ];
    let tags: Vec<Value> = tags.iter().map(|(name, value)| json!({"name": name, "value_format": value})).collect();
    let stat = |name: &str| json!({"name": name, "tags": tags});
    let histogram = |name: &str, value: &str| json!({"stat": stat(name), "value_format": value});
    native(
        "envoy.access_loggers.stats",
        "envoy.extensions.access_loggers.stats.v3.Config",
        json!({
            "stat_prefix": "bench",
            "counters": [{"stat": stat("requests_total"), "value_fixed": 1}],
            "histograms": [
                histogram("request_duration_milliseconds", "%DURATION%"),
                histogram("request_bytes", "%BYTES_RECEIVED%"),
                histogram("response_bytes", "%BYTES_SENT%"),
            ],
        }),
    )
}

/// Filter state of a key from a format.
pub(crate) fn set_filter_state(key: &str, format: &str) -> Value {
    json!({
        "name": "envoy.filters.http.set_filter_state",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config",
            "on_request_headers": [{
                "object_key": key,
                "factory_key": "envoy.string",
                "format_string": {"text_format_source": {"inline_string": format}, "omit_empty_values": true},
                "skip_if_empty": true,
            }],
        },
    })
}
