mod audit;
mod failure;
mod filter_state;
mod paths;
mod plugin;

use super::{Diagnostic, Others, check};
use crate::compile::Module;
use crate::documents::Contents;
use serde_json::{Value, json};
use weir_policy::Protocol;

const HTTP: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

/// All diagnostics of all documents of a tree.
fn diagnostics(tree: &Value, others: &Others) -> Vec<Diagnostic> {
    let contents = Contents::of(tree);
    let check = |found| check(found, Module::of(&contents.found[0].document), &contents, others).diagnostics;
    contents.found.iter().flat_map(check).collect()
}

/// Fails with every row whose diagnostics are not the ones that it names by the beginning of their lines. Most rows have
/// empty sections, which is said of them.
fn expect(rows: &[(&str, Value, &[&str])]) {
    let mut wrong = Vec::new();
    for (name, tree, expected) in rows {
        let all = diagnostics(tree, &Others::default());
        let rest = all.iter().filter(|one| !one.message.starts_with("there are no `"));
        let lines: Vec<String> = rest.map(|diagnostic| diagnostic.line("f")).collect();
        let fits = lines.len() == expected.len()
            && lines.iter().zip(*expected).all(|(line, start)| {
                let severity = if start.starts_with("warning: ") { "" } else { "error: " };
                line.starts_with(&format!("f: {severity}{start}"))
            });
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
    suite(
        json!({"policy": {"mode": mode, "policies": [{"kind": "AuthorizationPolicy", "metadata": {"name": "a", "namespace": "shop"}, "spec": {"rules": [{"to": [{"operation": {"paths": ["/"]}}]}]}}]}}),
    )
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
    ]);
}

#[test]
fn a_section_without_rules_or_limits_does_nothing() {
    let mut rows = weir_testing::Rows::default();
    for (more, expected) in [
        (json!({"policy": {}}), "f: warning: $.policy: there are no `policies`"),
        (
            json!({"rateLimit": {"local": {"config": {"domain": "d"}}}}),
            "f: warning: $.rateLimit: there are no `descriptors`",
        ),
        (json!({"policy": {"mode": "off"}}), ""),
        (json!({"policy": {"mode": false}}), ""),
        (json!({"telemetry": {}}), ""),
    ] {
        let lines: Vec<String> =
            diagnostics(&suite(more.clone()), &Others::default()).iter().map(|one| one.line("f")).collect();
        rows.check(&more, lines.is_empty(), expected.is_empty());
        rows.contains(&more, lines.first().map_or("", String::as_str), expected);
    }
}

#[test]
fn packed_policies_are_checked_as_others_are() {
    use base64::Engine as _;
    use std::io::Write as _;
    let policy = json!({
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "a", "namespace": "shop"},
        "spec": {"action": "DENY", "rules": [{"to": [{"operation": {"paths": ["/a*b"]}}]}]},
    });
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(json!([policy]).to_string().as_bytes()).unwrap();
    let packed = base64::prelude::BASE64_STANDARD.encode(encoder.finish().unwrap());
    let plain = suite(json!({"policy": {"policies": [policy]}}));
    let packed = suite(json!({"policy": {"policiesGzip": packed}}));
    expect(&[
        ("plain", plain, &["warning: $.policy.policies[0].spec.rules[0].to[0].operation.paths[0]"]),
        ("packed", packed.clone(), &["warning: $.policy.policiesGzip[0].spec.rules[0].to[0].operation.paths[0]"]),
    ]);
    assert_eq!(diagnostics(&packed, &Others::default()).len(), 1, "and nothing says that there are no policies");
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
    let found = &diagnostics(&unknown, &Others::default())[0];
    assert_eq!(found.id, Some("direct-address-unknown"));
    assert!(found.message.contains("`shop/blocks`"), "{found:?}");
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
    let nothing = format!("warning: {location}: none of its 1 policies is for the workload");
    let namespace = format!("{location}.policies[0]: which policies apply is unknown");
    expect(&[
        ("plain", bootstrap(node("cart-1"), json!({})), &[&second]),
        ("plain, other namespace", bootstrap(json!({"metadata": {"NAMESPACE": "web"}}), json!({})), &[&nothing]),
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
