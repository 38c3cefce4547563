//! What is compared with what.

use crate::bootstrap::wasm;
use crate::rules;
use serde_json::{Value, json};
use std::path::Path;

/// The variant all others are compared with.
pub(crate) const BASE: &str = "no filter";

/// One row of the table.
pub(crate) struct Variant {
    /// Its name.
    pub(crate) name: String,
    /// Its filters before the router.
    pub(crate) filters: Vec<Value>,
    /// Whether its memory is measured too.
    pub(crate) memory: bool,
    /// Whether the proxy's node is an Istio sidecar's.
    pub(crate) sidecar: bool,
}

fn policy(rules: usize) -> Value {
    json!({"policies": [rules::authorization_policy(rules)]})
}

fn rate_limit() -> Value {
    json!({
        "rate_limits": [{"actions": [{"request_headers": {"header_name": "x-user", "descriptor_key": "user"}}]}],
        "local": {"config": {"domain": "bench", "descriptors": [
            {"key": "user", "rate_limit": {"name": "per-user", "unit": "day", "requests_per_unit": 1_000_000_000}},
        ]}},
    })
}

fn standalone(mut section: Value) -> Value {
    if let Some(fields) = section.as_object_mut() {
        fields.insert("schema".to_owned(), json!(1));
        fields.insert("name".to_owned(), json!("bench"));
    }
    section
}

fn native(name: &str, kind: &str, mut config: Value) -> Value {
    if let Some(fields) = config.as_object_mut() {
        fields.insert("@type".to_owned(), json!(format!("type.googleapis.com/{kind}")));
    }
    json!({"name": name, "typed_config": config})
}

fn rbac(count: usize) -> Value {
    let config = json!({"rules": rules::rbac(count)});
    native("envoy.filters.http.rbac", "envoy.extensions.filters.http.rbac.v3.RBAC", config)
}

fn rbac_matcher(count: usize) -> Value {
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

fn local_rate_limit() -> Value {
    let always = json!({"default_value": {"numerator": 100, "denominator": "HUNDRED"}});
    native(
        "envoy.filters.http.local_ratelimit",
        "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        json!({
            "stat_prefix": "bench",
            "token_bucket": {"max_tokens": 1_000_000_000, "tokens_per_fill": 1_000_000_000, "fill_interval": "1s"},
            "filter_enabled": always,
            "filter_enforced": always,
        }),
    )
}

fn lua() -> Value {
    let code = "function envoy_on_request(handle)\n  local headers = handle:headers()\n  \
                local user = headers:get('x-user')\n  local tenant = headers:get('x-tenant')\nend\n";
    native(
        "envoy.filters.http.lua",
        "envoy.extensions.filters.http.lua.v3.Lua",
        json!({"default_source_code": {"inline_string": code}}),
    )
}

/// All variants, with the modules below `dist`.
///
/// # Errors
/// A module that has not been built.
pub(crate) fn all(dist: &Path) -> Result<Vec<Variant>, String> {
    let module = |name: &str| {
        let path = dist.join(format!("{name}.wasm"));
        if path.is_file() { Ok(path) } else { Err(format!("{} is missing: make build test-modules", path.display())) }
    };
    let [empty, bare] = [module("empty")?, module("empty-stripped")?];
    let [policy_module, limit_module] = [module("policy")?, module("rate-limit")?];
    let [telemetry_module, suite_module] = [module("telemetry")?, module("suite")?];
    let one_policy = |rules| wasm("policy", &policy_module, &standalone(policy(rules)));
    let by_principal = |rules| {
        let document = json!({"policies": [rules::by_principal(rules)]});
        wasm("policy", &policy_module, &standalone(document))
    };
    let one_limit = wasm("rate-limit", &limit_module, &standalone(rate_limit()));
    let one_telemetry = wasm("telemetry", &telemetry_module, &standalone(json!({})));
    let suite = |rules| {
        let document = json!({"policy": policy(rules), "rateLimit": rate_limit(), "telemetry": {}});
        wasm("suite", &suite_module, &standalone(document))
    };
    let empties = |count: usize| (0..count).map(|n| wasm(&format!("empty-{n}"), &empty, &json!({}))).collect();
    let chained = |rules| vec![one_policy(rules), one_limit.clone(), one_telemetry.clone()];
    let row =
        |name: &str, filters: Vec<Value>| Variant { name: name.to_owned(), filters, memory: false, sidecar: false };
    let in_sidecar = |mut variant: Variant| {
        variant.name.push_str(", in a sidecar");
        variant.sidecar = true;
        variant
    };
    let with_memory = |mut variant: Variant| {
        variant.memory = true;
        variant
    };
    Ok(vec![
        with_memory(row(BASE, Vec::new())),
        with_memory(row("empty SDK filter", empties(1))),
        row("empty SDK filter, exports stripped", vec![wasm("bare", &bare, &json!({}))]),
        with_memory(row("three empty SDK filters", empties(3))),
        row("weir policy, 10 rules", vec![one_policy(10)]),
        with_memory(row("weir policy, 10,000 rules", vec![one_policy(10_000)])),
        with_memory(row("weir rate limit, one key", vec![one_limit.clone()])),
        with_memory(row("weir telemetry", vec![one_telemetry.clone()])),
        row("weir suite, 10 rules", vec![suite(10)]),
        with_memory(row("weir suite, 10,000 rules", vec![suite(10_000)])),
        with_memory(row("weir three modules chained, 10,000 rules", chained(10_000))),
        in_sidecar(row("weir policy, 10 rules", vec![one_policy(10)])),
        in_sidecar(row("weir rate limit, one key", vec![one_limit.clone()])),
        in_sidecar(row("weir telemetry", vec![one_telemetry.clone()])),
        in_sidecar(row("weir suite, 10 rules", vec![suite(10)])),
        row("weir policy, 10 rules on principals", vec![by_principal(10)]),
        row("Envoy RBAC, 1 policy", vec![rbac(1)]),
        row("Envoy RBAC, 10 policies", vec![rbac(10)]),
        row("Envoy RBAC, 100 policies", vec![rbac(100)]),
        row("Envoy RBAC, 1,000 policies", vec![rbac(1_000)]),
        row("Envoy RBAC, 10,000 policies", vec![rbac(10_000)]),
        row("Envoy RBAC, matcher tree of 10,000 exact paths", vec![rbac_matcher(10_000)]),
        row("Envoy local rate limit, no key", vec![local_rate_limit()]),
        row("Envoy Lua, reading two headers", vec![lua()]),
    ])
}
