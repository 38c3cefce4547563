//! What the plugin around a document must say: the kind of filter, the root id, the callbacks and the listener.

use super::*;
use weir_testing::Rows;

#[test]
fn a_module_is_an_http_filter() {
    let document = suite(json!({"telemetry": {}}));
    let open = json!({"failure_policy": "FAIL_OPEN"});
    let of =
        |kind: &str| filter(&format!("type.googleapis.com/envoy.extensions.{kind}"), document.clone(), open.clone());
    let mut structure = of("filters.network.wasm.v3.Wasm");
    structure["typed_config"] = json!({
        "@type": "type.googleapis.com/udpa.type.v1.TypedStruct",
        "type_url": "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm",
        "value": {"config": structure["typed_config"]["config"]},
    });
    let inner = "$.typed_config.config: `envoy.extensions";
    let traffic = json!({"kind": "TrafficExtension", "spec": {"wasm": {
        "type": "NETWORK", "failStrategy": "FAIL_OPEN", "pluginConfig": document,
    }}});
    expect(&[
        ("http", of("filters.http.wasm.v3.Wasm"), &[]),
        ("network", of("filters.network.wasm.v3.Wasm"), &[inner]),
        ("network, TypedStruct", structure, &["$.typed_config.value.config: `envoy.extensions"]),
        ("access log", of("access_loggers.wasm.v3.WasmAccessLog"), &[inner]),
        ("service", of("wasm.v3.WasmService"), &[inner]),
        (
            "WasmPlugin",
            wasm_plugin(document.clone(), json!({"type": "NETWORK", "failStrategy": "FAIL_OPEN"})),
            &["$.spec.type: `type: NETWORK` cannot run the module, which is an HTTP filter"],
        ),
        ("TrafficExtension", traffic, &["$.spec.wasm.type: `type: NETWORK` cannot run the module"]),
        ("HTTP", wasm_plugin(document.clone(), json!({"type": "HTTP", "failStrategy": "FAIL_OPEN"})), &[]),
        (
            "root id",
            wasm_plugin(document, json!({"pluginName": "weir.tcp", "failStrategy": "FAIL_OPEN"})),
            &["$.spec.pluginName: root id `weir.tcp` is for connections: load the module as a network filter"],
        ),
    ]);
}

#[test]
fn a_filter_of_connections_is_a_network_filter_of_a_module_that_has_one() {
    let policies = json!([{
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "ports", "namespace": "shop"},
        "spec": {"action": "DENY", "rules": [{"to": [{"operation": {"ports": ["6379"]}}]}]},
    }]);
    let workload = json!({"namespace": "shop", "labels": {}, "proxy": "sidecar"});
    let section = json!({"workload": workload, "policies": policies});
    let mut policy = section.clone();
    policy["schema"] = 1.into();
    policy["name"] = "cart".into();
    let of = |module: &str, document: &Value| {
        let url = format!("oci://r.example/weir/{module}:0.1.0");
        let fields = json!({"type": "NETWORK", "pluginName": "weir.tcp", "url": url, "failStrategy": "FAIL_CLOSE"});
        wasm_plugin(document.clone(), fields)
    };
    let network = "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm";
    let closed = json!({"root_id": "weir.tcp", "failure_policy": "FAIL_CLOSED"});
    let mut about_requests = policy.clone();
    about_requests["policies"][0]["spec"]["rules"][0]["to"][0]["operation"] = json!({"methods": ["GET"]});
    let shadow = |document: Value| {
        let mut document = document;
        document["mode"] = "shadow".into();
        document
    };
    let all = suite(json!({"policy": section, "telemetry": {}}));
    let mut restricted = filter(network, policy.clone(), closed.clone());
    let names = crate::capabilities::essential(Module::Policy, Protocol::Tcp);
    let but_one = names.iter().filter(|name| **name != "proxy_on_downstream_data");
    restricted["typed_config"]["config"]["capability_restriction_config"] = json!({
        "allowed_capabilities": but_one.map(|name| ((*name).to_owned(), json!({}))).collect::<serde_json::Map<_, _>>(),
    });
    expect(&[
        ("policy", of("policy", &policy), &[]),
        ("the policy section of the suite", of("suite", &suite(json!({"policy": section}))), &[]),
        ("in Envoy", filter(network, policy.clone(), closed), &[]),
        (
            "other sections",
            of("suite", &all),
            &["$.spec.pluginConfig.telemetry: it is about requests, and root id `weir.tcp` is for connections"],
        ),
        (
            "a module without one",
            of("telemetry", &shadow(json!({"schema": 1, "name": "t", "metricPrefix": "x_"}))),
            &[
                "$.spec.pluginName: telemetry.wasm has no filter of connections",
                "warning: $.spec.failStrategy: `failStrategy: FAIL_CLOSE` refuses requests",
            ],
        ),
        (
            "rules about requests",
            of("policy", &about_requests),
            &["warning: $.spec.pluginConfig: every connection is refused"],
        ),
        (
            "a callback is missing",
            restricted,
            &[
                "$.typed_config.config.capability_restriction_config: requests would pass undecided: allow `proxy_on_downstream_data`",
            ],
        ),
    ]);
}

#[test]
fn fields_that_envoy_does_not_know_are_named() {
    let document = suite(json!({"telemetry": {}}));
    let of = |more: Value| {
        let mut plugin = json!({"failure_policy": "FAIL_OPEN"});
        plugin.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        filter(HTTP, document.clone(), plugin)
    };
    let config = "$.typed_config.config";
    expect(&[
        (
            "both cases",
            of(json!({"rootId": "weir", "vmConfig": {"vmId": "a", "code": {"remote": {"httpUri": {}}}}})),
            &[],
        ),
        (
            "of the plugin",
            of(json!({"failure_polcy": "FAIL_OPEN"})),
            &[&format!("{config}.failure_polcy: unknown field")],
        ),
        (
            "of the VM",
            of(json!({"vm_config": {"id": "a"}})),
            &[&format!("{config}.vm_config.id: unknown field: Envoy")],
        ),
        (
            "of the code",
            of(json!({"vm_config": {"code": {"remote": {"http_uri": {"url": "a"}}}}})),
            &[&format!("{config}.vm_config.code.remote.http_uri.url: unknown field")],
        ),
        (
            "in an EnvoyFilter",
            json!({"kind": "EnvoyFilter", "spec": {"value": of(json!({"vm_config": {"id": "a"}}))}}),
            &["warning: $.spec.value.typed_config.config.vm_config.id: unknown field of Envoy's: istiod drops it"],
        ),
    ]);
}

#[test]
fn a_root_id_that_a_module_of_weir_does_not_know_is_a_problem() {
    let document = suite(json!({"telemetry": {}}));
    let open = |root: &str, file: &str, document: Value| {
        let code = json!({"code": {"local": {"filename": file}}});
        filter(HTTP, document, json!({"root_id": root, "vm_config": code, "failure_policy": "FAIL_OPEN"}))
    };
    let image = |url: &str, document: Value| {
        wasm_plugin(document, json!({"pluginName": "cart", "url": url, "failStrategy": "FAIL_OPEN"}))
    };
    let remote = json!({"code": {"remote": {"http_uri": {"uri": "oci://r.example/weir/suite:0.1.0"}}}});
    let remote = json!({"rootId": "cart", "vm_config": remote, "failure_policy": "FAIL_OPEN"});
    let message = "root id `cart` is unknown: remove it, or write `weir`";
    let own = format!("$.typed_config.config.root_id: {message}");
    let istio = format!("$.spec.pluginName: {message}");
    let theirs = json!({"rules": []});
    expect(&[
        ("a file", open("cart", "dist/suite.wasm", document.clone()), &[&own]),
        ("a file, JSON", open("cart", "dist/suite.wasm", json!(document.to_string())), &[&own]),
        ("a file, known", open("weir", "dist/suite.wasm", document.clone()), &[]),
        ("a file, none", open("", "dist/suite.wasm", document.clone()), &[]),
        ("an image in an EnvoyFilter", filter(HTTP, document.clone(), remote), &[&own.replace("root_id", "rootId")]),
        ("an image", image("oci://r.example/weir/suite:0.1.0", document.clone()), &[&istio]),
    ]);
    let mut rows = Rows::default();
    for (name, tree) in [
        ("a module of another name", open("cart", "waf.wasm", document.clone())),
        ("another's policy.wasm", open("cart", "policy.wasm", theirs.clone())),
        ("another's policy.wasm, no JSON", open("cart", "policy.wasm", json!("SecRuleEngine On"))),
        ("another's image", image("oci://r.example/opa/policy:1", theirs)),
    ] {
        rows.check(name, Contents::of(&json!({"static_resources": tree})).found.is_empty(), true);
    }
}

#[test]
fn a_document_that_reads_responses_needs_a_module_that_sees_them() {
    let document = |at: &str, mode: &str| json!({"schema": 1, "name": "cart", "mode": mode, "metricPrefix": "x_", "peerMetadata": {"readAt": at}});
    let istio = |url: &str, document: Value| wasm_plugin(document, json!({"url": url, "failStrategy": "FAIL_OPEN"}));
    let envoy = |file: &str, document: Value| {
        let more = json!({"vm_config": {"code": {"local": {"filename": file}}}, "failure_policy": "FAIL_OPEN"});
        filter(HTTP, document, more)
    };
    let expected: &[&str] =
        &["warning: $.spec.pluginConfig.peerMetadata.readAt: Envoy does not call this module for responses"];
    let own: &[&str] =
        &["warning: $.typed_config.config.configuration.value.peerMetadata.readAt: Envoy does not call this module"];
    expect(&[
        ("an image", istio("oci://r.example/weir/telemetry:0.1.0", document("response", "enforce")), expected),
        ("a file", envoy("dist/telemetry.wasm", document("response", "shadow")), own),
        ("the variant", istio("oci://r.example/weir/telemetry-response:0.1.0", document("response", "enforce")), &[]),
        ("a module of unknown name", istio("oci://r.example/own:1", document("response", "enforce")), &[]),
        ("read at the end", istio("oci://r.example/weir/telemetry:0.1.0", document("end", "enforce")), &[]),
        ("switched off", istio("oci://r.example/weir/telemetry:0.1.0", document("response", "off")), &[]),
    ]);
    let limits = |headers: &str| {
        json!({
            "schema": 1, "name": "t", "mode": "shadow", "enable_x_ratelimit_headers": headers,
            "local": {"config": {"domain": "d"}},
        })
    };
    let lean: &[&str] = &["warning: $.spec.pluginConfig.enable_x_ratelimit_headers: Envoy does not call this module"];
    expect(&[
        ("a lean image", istio("oci://r.example/weir/rate-limit-lean:0.1.0", limits("DRAFT_VERSION_03")), lean),
        ("no headers", istio("oci://r.example/weir/rate-limit-lean:0.1.0", limits("OFF")), &[]),
        ("the whole", istio("oci://r.example/weir/rate-limit:0.1.0", limits("DRAFT_VERSION_03")), &[]),
    ]);
}

#[test]
fn a_document_for_one_listener_is_not_loaded_for_another() {
    let document =
        |listener: &str| json!({"schema": 1, "name": "t", "mode": "shadow", "listener": listener, "telemetry": {}});
    let plugin = |listener: &str, more: Value| {
        let mut spec = json!({"url": "oci://r.example/weir/suite:0.1.0", "failStrategy": "FAIL_OPEN"});
        if let (Some(fields), Some(more)) = (spec.as_object_mut(), more.as_object()) {
            fields.extend(more.clone());
        }
        wasm_plugin(document(listener), spec)
    };
    let mode = |mode: &str| json!({"match": [{"mode": mode}]});
    let extension = |listener: &str, more: Value| {
        let wasm = json!({"failStrategy": "FAIL_OPEN", "pluginConfig": document(listener)});
        json!({"kind": "TrafficExtension", "spec": {"wasm": wasm, "match": more["match"]}})
    };
    let around: &[&str] = &["$.spec.wasm.pluginConfig.listener: `inbound`, but `mode: CLIENT` at $.spec.match"];
    let other: &[&str] = &["$.spec.pluginConfig.listener: `inbound`, but `mode: CLIENT` at $.spec.match"];
    let outbound: &[&str] = &["$.spec.pluginConfig.listener: `outbound`, but `mode: SERVER` at $.spec.match"];
    let both: &[&str] =
        &["warning: $.spec.pluginConfig.listener: `inbound`, but `mode: CLIENT_AND_SERVER` at $.spec.match"];
    expect(&[
        ("the same", plugin("inbound", mode("SERVER")), &[]),
        ("the same, outbound", plugin("outbound", mode("CLIENT")), &[]),
        ("the other", plugin("inbound", mode("CLIENT")), other),
        ("the other, inbound", plugin("outbound", mode("SERVER")), outbound),
        ("both", plugin("inbound", mode("CLIENT_AND_SERVER")), both),
        ("around the plugin", extension("inbound", mode("SERVER")), &[]),
        ("around the plugin, the other", extension("inbound", mode("CLIENT")), around),
        ("no match", plugin("inbound", json!({})), both),
    ]);
}

#[test]
fn a_list_of_capabilities_has_all_that_a_module_needs() {
    let document = json!({"schema": 1, "name": "t", "mode": "shadow", "telemetry": {}});
    let with = |restriction: Value| {
        let more = json!({"failure_policy": "FAIL_OPEN", "capability_restriction_config": restriction});
        filter(HTTP, document.clone(), more)
    };
    let all = || {
        crate::capabilities::essential(Module::Suite, Protocol::Http)
            .into_iter()
            .map(|name| (name.to_owned(), json!({})))
            .collect::<serde_json::Map<_, _>>()
    };
    let mut without = all();
    without.remove("proxy_on_request_headers");
    let start: &[&str] =
        &["$.typed_config.config.capability_restriction_config: requests would pass undecided: allow \
                            `proxy_on_request_headers` too"];
    expect(&[
        ("none", with(json!({})), &[]),
        ("an empty list", with(json!({"allowed_capabilities": {}})), &[]),
        ("all", with(json!({"allowed_capabilities": all()})), &[]),
        ("one is missing", with(json!({"allowedCapabilities": without})), start),
    ]);
}
