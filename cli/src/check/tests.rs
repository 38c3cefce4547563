mod filter_state;

use super::{Diagnostic, Elsewhere, Others, check};
use crate::compile::Module;
use crate::documents::Contents;
use serde_json::{Value, json};
use weir_testing::Rows;

const HTTP: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

/// All diagnostics of all documents of a tree.
fn diagnostics(tree: &Value, others: &Others) -> Vec<Diagnostic> {
    let contents = Contents::of(tree).unwrap();
    let check = |found| check(found, Module::of(&contents.found[0].document), &contents, others);
    contents.found.iter().flat_map(check).collect()
}

/// Fails with every row whose diagnostics are not the ones that it names by the beginning of their lines.
fn expect(rows: &[(&str, Value, &[&str])]) {
    let mut wrong = Vec::new();
    for (name, tree, expected) in rows {
        let lines: Vec<String> =
            diagnostics(tree, &Others::default()).iter().map(|diagnostic| diagnostic.line("f")).collect();
        let fits = lines.len() == expected.len()
            && lines.iter().zip(*expected).all(|(line, start)| line.starts_with(&format!("f: {start}")));
        if !fits {
            wrong.push(format!("{name}: expected {expected:?}, found {lines:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn suite(more: Value) -> Value {
    let mut document = json!({"schema": 1, "name": "cart"});
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    document
}

fn policy(mode: &str) -> Value {
    suite(json!({"policy": {"mode": mode}}))
}

/// A WasmPlugin with `more` in its spec.
fn wasm_plugin(document: Value, more: Value) -> Value {
    let mut spec = json!({"pluginName": "weir", "pluginConfig": document});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"kind": "WasmPlugin", "spec": spec})
}

/// A filter of Envoy's with that type and `more` in its plugin.
fn filter(kind: &str, document: Value, more: Value) -> Value {
    let mut config = json!({"vm_config": {}, "configuration": {"value": document}});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"name": "shop.weir", "typed_config": {"@type": kind, "config": config}})
}

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
            &["$.spec.pluginName: root id `weir.tcp` is unknown"],
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
        rows.check(name, Contents::of(&json!({"static_resources": tree})).unwrap().found.is_empty(), true);
    }
}

#[test]
fn a_strategy_fits_the_mode() {
    let istio = |document: Value, strategy: &str| wasm_plugin(document, json!({"failStrategy": strategy}));
    let envoy = |document: Value, more: Value| filter(HTTP, document, more);
    let limits = json!({"local": {"config": {"domain": "d", "descriptors": []}}});
    let limited = |mode: &str| suite(json!({"mode": mode, "rateLimit": limits}));
    let trial = "warning: $.spec.failStrategy: `failStrategy: ";
    let door = "warning: $.spec.failStrategy: `failStrategy: FAIL_OPEN` lets every request past the policy";
    expect(&[
        ("shadow, open", istio(policy("shadow"), "FAIL_OPEN"), &[]),
        ("shadow, closed", istio(policy("shadow"), "FAIL_CLOSE"), &[trial]),
        ("shadow, reload", istio(policy("shadow"), "FAIL_RELOAD"), &[trial]),
        ("off, reload", istio(policy("off"), "FAIL_RELOAD"), &[trial]),
        ("observe, reload", istio(limited("observe"), "FAIL_RELOAD"), &[trial]),
        ("telemetry, closed", istio(suite(json!({"telemetry": {}})), "FAIL_CLOSE"), &[trial]),
        (
            "shadow, default",
            wasm_plugin(policy("shadow"), json!({})),
            &["warning: $.spec: no `failStrategy`, which means `FAIL_CLOSE`, refuses"],
        ),
        ("enforce, default", wasm_plugin(policy("enforce"), json!({})), &[]),
        ("enforce, reload", istio(policy("enforce"), "FAIL_RELOAD"), &[]),
        ("enforce, open", istio(policy("enforce"), "FAIL_OPEN"), &[door]),
        ("no mode, open", istio(suite(json!({"policy": {}})), "FAIL_OPEN"), &[door]),
        ("limits, open", istio(limited("enforce"), "FAIL_OPEN"), &[]),
        ("limits, reload", istio(limited("enforce"), "FAIL_RELOAD"), &[]),
        ("no strategy", istio(policy("enforce"), "FAIL_CLOSED"), &["$.spec.failStrategy: `FAIL_CLOSED` is not one of"]),
        (
            "a mode that is none is one problem",
            istio(policy("shadwo"), "FAIL_CLOSE"),
            &["$.spec.pluginConfig.policy.mode"],
        ),
        ("envoy: shadow, open", envoy(policy("shadow"), json!({"failure_policy": "FAIL_OPEN"})), &[]),
        (
            "envoy: shadow, camel case",
            envoy(policy("shadow"), json!({"failurePolicy": "FAIL_CLOSED"})),
            &["warning: $.typed_config.config.failurePolicy: `failurePolicy: FAIL_CLOSED` refuses"],
        ),
        (
            "envoy: shadow, default",
            envoy(policy("shadow"), json!({})),
            &["warning: $.typed_config.config: no `failure_policy`, which means `FAIL_CLOSED`, refuses"],
        ),
        ("envoy: shadow, old field", envoy(policy("shadow"), json!({"fail_open": true})), &[]),
        (
            "envoy: enforce, old field",
            envoy(policy("enforce"), json!({"fail_open": true})),
            &["warning: $.typed_config.config.fail_open: `fail_open: true` lets every request past the policy"],
        ),
        (
            "envoy: both fields",
            envoy(policy("enforce"), json!({"fail_open": true, "failure_policy": "FAIL_RELOAD"})),
            &[
                "$.typed_config.config.failure_policy: Envoy refuses `failure_policy` beside `fail_open`: remove `fail_open`",
            ],
        ),
    ]);
}

#[test]
fn a_filter_that_lets_pass_until_there_is_a_policy_is_reported() {
    let discovery = |default: Value| json!({"name": "shop.weir", "config_discovery": {"default_config": default}});
    let rbac = json!({"@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"});
    let both = |mode: &str, strategy: &str, default: &Value| {
        json!({"kind": "EnvoyFilter", "spec": [
            filter(HTTP, policy(mode), json!({"failure_policy": strategy})),
            discovery(default.clone()),
        ]})
    };
    expect(&[
        (
            "enforce",
            both("enforce", "FAIL_RELOAD", &rbac),
            &["warning: $.spec[1].config_discovery.default_config: requests pass without a policy"],
        ),
        ("shadow", both("shadow", "FAIL_OPEN", &rbac), &[]),
        ("the filter's own", both("enforce", "FAIL_RELOAD", &json!({"@type": HTTP})), &[]),
    ]);
}

#[test]
fn a_suite_without_a_section_has_nothing_to_do() {
    let nothing = "warning: $: the document does nothing";
    expect(&[
        ("no section", suite(json!({})), &[nothing]),
        ("a section", suite(json!({"telemetry": {}})), &[]),
        (
            "in a plugin",
            wasm_plugin(suite(json!({})), json!({})),
            &["warning: $.spec.pluginConfig: the document does nothing"],
        ),
        ("no document", json!([]), &["$: "]),
    ]);
}

fn with_paths(field: &str) -> Value {
    let policies = json!([{
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "a", "namespace": "shop"},
        "spec": {"action": "DENY", "rules": [{"to": [{"operation": {field: ["/admin"]}}]}]},
    }]);
    suite(json!({"policy": {"policies": policies}}))
}

/// A listener with the plugin, and routes with `option`.
fn manager(document: Value, option: Option<bool>) -> Value {
    let mut routes = json!({"virtual_hosts": []});
    if let Some(on) = option {
        routes["ignore_path_parameters_in_path_matching"] = json!(on);
    }
    let filter = filter(HTTP, document, json!({"failure_policy": "FAIL_RELOAD"}));
    json!({"typed_config": {"route_config": routes, "http_filters": [filter]}})
}

#[test]
fn paths_are_compared_as_the_routes_compare_them() {
    let inner = "$.listeners[0].typed_config.http_filters[0].typed_config.config.configuration.value";
    let missing = format!(
        "{inner}.policy.workload.ignorePathParameters: $.listeners[0].typed_config.route_config.\
         ignore_path_parameters_in_path_matching makes Envoy ignore path parameters"
    );
    let listeners = |list: Value| json!({"listeners": list});
    let apply = suite(json!({"rateLimit": {
        "apply": [{"to": [{"operation": {"paths": ["/admin"]}}], "rate_limits": []}],
        "local": {"config": {"domain": "d", "descriptors": []}},
    }}));
    let limits_missing = format!("{inner}.rateLimit.ignorePathParameters: ");
    let no_paths = || with_paths("methods");
    let patch = json!({"ignorePathParametersInPathMatching": true});
    let plugin = filter(HTTP, with_paths("paths"), json!({"failure_policy": "FAIL_RELOAD"}));
    expect(&[
        ("on", listeners(json!([manager(with_paths("paths"), Some(true))])), &[&missing]),
        ("on, notPaths", listeners(json!([manager(with_paths("notPaths"), Some(true))])), &[&missing]),
        ("on, limits", listeners(json!([manager(apply, Some(true))])), &[&limits_missing]),
        ("off", listeners(json!([manager(with_paths("paths"), Some(false))])), &[]),
        ("absent", listeners(json!([manager(with_paths("paths"), None)])), &[]),
        ("no paths", listeners(json!([manager(no_paths(), Some(true))])), &[]),
        (
            "on in another listener",
            listeners(json!([manager(with_paths("paths"), None), manager(no_paths(), Some(true))])),
            &[],
        ),
        (
            "on in a patch",
            json!({"kind": "EnvoyFilter", "spec": {"configPatches": [plugin, patch]}}),
            &["$.spec.configPatches[0].typed_config.config.configuration.value.policy.workload.ignorePathParameters: \
               $.spec.configPatches[1].ignorePathParametersInPathMatching makes Envoy ignore"],
        ),
    ]);
}

#[test]
fn paths_that_lose_parameters_here_alone_are_reported() {
    let mut document = with_paths("paths");
    document["policy"]["workload"] = json!({"ignorePathParameters": true});
    let about = |option: Option<bool>| -> Vec<String> {
        let lines = diagnostics(&json!({"listeners": [manager(document.clone(), option)]}), &Others::default());
        lines
            .iter()
            .map(|diagnostic| diagnostic.line("f"))
            .filter(|line| line.contains("this document ignores path parameters"))
            .collect()
    };
    assert!(about(Some(true)).is_empty());
    assert!(about(None)[0].ends_with("$.listeners[0].typed_config.route_config"), "{:?}", about(None));
    assert!(about(Some(false))[0].contains("warning: "), "{:?}", about(Some(false)));
}

#[test]
fn an_option_of_another_file_is_a_warning() {
    let routes = Contents::of(&json!({"ignore_path_parameters_in_path_matching": true})).unwrap();
    let option = Elsewhere { file: "routes.yaml".to_owned(), option: routes.path_options.first().unwrap().clone() };
    let elsewhere = Others { options: vec![option], ..Others::default() };
    let found = diagnostics(&with_paths("paths"), &elsewhere);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(!found[0].is_problem && found[0].message.contains("of `routes.yaml` makes Envoy ignore"), "{found:?}");
    assert!(found[0].path.ends_with("$.policy.workload.ignorePathParameters"), "{found:?}");
    // A policy of its own is going to stand in a document that is not here.
    let alone = with_paths("paths")["policy"]["policies"][0].clone();
    let found = diagnostics(&alone, &elsewhere);
    assert_eq!((found.len(), found[0].is_problem, found[0].path.as_str()), (1, false, "$"), "{found:?}");
}

#[test]
fn what_must_misfire_is_a_problem() {
    let policy = json!({
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "blocks", "namespace": "shop"},
        "spec": {"action": "DENY", "rules": [{"from": [{"source": {"ipBlocks": ["192.0.2.0/24"]}}]}]},
    });
    let document = |workload: Value| suite(json!({"policy": {"workload": workload, "policies": [policy]}}));
    let unknown = document(json!({}));
    expect(&[
        ("no direct address", unknown.clone(), &["$.policy.policies[0].spec.rules[0]"]),
        ("direct address", document(json!({"directAddress": {"filterState": "weir.direct_address"}})), &[]),
        ("the policy alone", policy.clone(), &["warning: $.spec.rules[0]"]),
    ]);
    let message = &diagnostics(&unknown, &Others::default())[0].message;
    assert!(message.ends_with("[direct-address-unknown]") && message.contains("`shop/blocks`"), "{message}");
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
fn a_bootstraps_own_node_is_one_of_the_workloads() {
    let policies = json!([{
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "a", "namespace": "shop"},
        "spec": {"action": "DENY", "rules": [{"from": [{"source": {"principals": ["cluster.local/ns/x/sa/y"]}}]}]},
    }]);
    let plugin = |workload: Value| {
        let document = suite(json!({"policy": {"workload": workload, "policies": policies}}));
        filter(HTTP, document, json!({"failure_policy": "FAIL_RELOAD"}))
    };
    let bootstrap = |node: Value, workload: Value| json!({"node": node, "static_resources": plugin(workload)});
    let metadata = json!({"NAMESPACE": "shop", "LABELS": {"app": "cart"}});
    let node = |id: &str| json!({"id": id, "metadata": metadata});
    let location = "$.static_resources.typed_config.config.configuration.value.policy";
    let second = format!("warning: {location}: rules refuse peers by identity");
    let namespace = format!("{location}.policies[0]: which policies apply is unknown");
    expect(&[
        ("plain", bootstrap(node("cart-1"), json!({})), &[&second]),
        ("plain, other namespace", bootstrap(json!({"metadata": {"NAMESPACE": "web"}}), json!({})), &[]),
        ("a sidecar", bootstrap(node("sidecar~10.0.0.1~a.shop~shop"), json!({})), &[]),
        ("the proxy is said", bootstrap(node("cart-1"), json!({"proxy": "sidecar"})), &[]),
        ("no metadata", bootstrap(json!({"id": "cart-1"}), json!({})), &[&namespace]),
        ("no node", json!({"static_resources": plugin(json!({}))}), &[&namespace]),
        (
            "no node, the document says it",
            json!({"static_resources": plugin(json!({"namespace": "shop"}))}),
            &[&second],
        ),
        ("no bootstrap", plugin(json!({})), &[]),
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
    let all = || crate::plugin::needed().map(|name| (name.to_owned(), json!({}))).collect::<serde_json::Map<_, _>>();
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
