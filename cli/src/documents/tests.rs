use super::Contents;
use crate::input::Source;
use serde_json::{Value, json};
use weir_testing::Rows;

fn contents(text: &str) -> Contents {
    Contents::of_file(&Source::new("f", text.to_owned()), None)
}

fn paths(text: &str) -> Vec<String> {
    contents(text).found.into_iter().map(|found| found.path).collect()
}

fn said(text: &str) -> Vec<String> {
    contents(text).diagnostics.iter().map(|one| one.line("f")).collect()
}

#[test]
fn documents_are_found_where_envoy_and_istio_have_them() {
    let document = json!({"schema": 1, "name": "a"});
    assert_eq!(paths(&document.to_string()), ["$"]);
    assert_eq!(paths("kind: WasmPlugin\nspec: {pluginName: weir, pluginConfig: {}}"), ["$.spec.pluginConfig"]);
    let plugin = |configuration, root_id| json!({"config": {"root_id": root_id, "vm_config": {}, "configuration": configuration}});
    let bootstrap = json!({"filters": [
        plugin(json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": document}), "weir"),
        plugin(json!({"value": document.to_string()}), ""),
        plugin(json!({"value": "not ours: {"}), "other"),
    ]});
    let Contents { found, .. } = contents(&bootstrap.to_string());
    assert_eq!(found.len(), 2);
    let camel = |root| json!({"rootId": root, "vmConfig": {}, "configuration": {"value": {"schema": 1}}});
    assert_eq!(paths(&json!([camel("other"), camel("weir")]).to_string()), ["$[1].configuration.value"]);
    let list = r#"{"kind": "List", "items": [{"kind": "WasmPlugin", "spec": {"pluginConfig": {"schema": 1}}},
        {"kind": "Service"}, {"kind": "AuthorizationPolicy", "metadata": {"namespace": "a"}}]}"#;
    assert_eq!(paths(list), ["$.items[0].spec.pluginConfig", "$.items[2]"]);
    assert!(found.iter().all(|found| found.document == document));
    assert_eq!(found[1].path, "$.filters[1].config.configuration.value");
    let gateway =
        "kind: EnvoyExtensionPolicy\nspec: {wasm: [{code: {type: Image, image: {url: x}}, config: {schema: 1}}]}";
    assert_eq!(paths(gateway), ["$.spec.wasm[0].config"]);
    let map = json!({"kind": "ConfigMap", "data": {"weir.json": document.to_string(), "a": "b"}});
    assert_eq!(paths(&map.to_string()), ["$.data[\"weir.json\"]"]);
}

#[test]
fn of_several_yaml_documents_each_is_looked_through() {
    let text =
        "kind: Deployment\n---\nkind: WasmPlugin\nspec: {pluginConfig: {schema: 1}}\n---\nschema: 1\nname: a\n---\n";
    assert_eq!(paths(text), ["document 2: $.spec.pluginConfig", "document 3: $"]);
}

#[test]
fn what_is_not_weirs_is_passed_over_and_counted() {
    let mut rows = Rows::default();
    for (text, class) in [
        ("kind: Deployment\napiVersion: apps/v1", "Deployment"),
        ("name: build\non: [push]\njobs: {}", "other YAML"),
        ("pluginConfig: {default_directives: default}", "other YAML"),
        ("kind: WasmPlugin\nspec: {url: \"oci://r.example/waf\", pluginConfig: {default_directives: a}}", "WasmPlugin"),
        ("kind: CustomResourceDefinition\nspec: {pluginConfig: {schema: 1}}", "CustomResourceDefinition"),
        ("kind: AuthorizationPolicy\napiVersion: policy.linkerd.io/v1alpha1", "AuthorizationPolicy.policy.linkerd.io"),
        ("kind: ConfigMap\ndata: {a: \"b: {c: 1}\"}", "ConfigMap"),
        ("- a\n- b", "other YAML"),
        ("name: a\npolicy: {}\nservices: {}", "other YAML"),
    ] {
        let contents = contents(text);
        rows.check(text, contents.found.len(), 0);
        rows.check(text, contents.passed.into_iter().collect::<Vec<_>>(), vec![(class.to_owned(), 1)]);
    }
    assert!(contents("").passed.is_empty());
}

/// What kubectl refuses is an error.
#[test]
fn a_list_has_objects() {
    let mut rows = Rows::default();
    for (text, expected) in [
        ("kind: List\nitems: []", ""),
        ("kind: List\nitems: null", "f: note: $.items: the list has no items [empty-list]"),
        ("kind: List\nitems:", "f: note: $.items: the list has no items [empty-list]"),
        ("kind: AuthorizationPolicyList\nitems:", "f: note: $.items: the list has no items [empty-list]"),
        ("kind: List\nitems: {kind: Service}", "f: error: $.items: `items` is not a list"),
        ("kind: List", "f: error: $: `items` is missing"),
        ("kind: AllowList\nspec: {}", ""),
        ("kind: List\nitems: [{kind: Service}, null]", "f: error: $.items[1]: `kind` is missing"),
        ("kind: List\nitems: [{kind: List, items: [{schema: 1}]}]", "f: error: $.items[0].items[0]: `kind` is missing"),
    ] {
        let found = said(text);
        rows.check(text, found.len(), usize::from(!expected.is_empty()));
        rows.contains(text, found.first().map_or("", String::as_str), expected);
    }
}

#[test]
fn a_document_is_known_by_its_schema_or_by_its_fields() {
    let mut rows = Rows::default();
    for (text, found) in [
        ("schema: 1", 1),
        ("schema: 1\npolcy: {}", 1),
        ("name: a\ntelemetry: {}", 1),
        ("name: a\npolicies: []\nworkload: {}", 1),
        ("name: a\npoliciesGzip: AAAA", 1),
        ("domain: d\ndescriptors: []", 1),
        ("descriptors: [{key: a}]", 1),
        ("descriptors: [{name: a}]", 0),
        ("rate_limits: []", 1),
        ("rate_limits: [{actions: []}]\nnmae: a", 1),
        ("rate_limits: [{burst: 1}]\nservice: a", 0),
        ("apply: [{rate_limits: []}]\nto: []", 1),
        ("apply: yes, please\non: 1", 0),
        ("name: a", 0),
        ("schema: public", 0),
    ] {
        rows.check(text, paths(text).len(), found);
    }
}

#[test]
fn policies_are_read_with_what_they_lack() {
    let policy = |more: &str| format!("kind: AuthorizationPolicy\nmetadata: {{name: a}}\n{more}");
    let contents = Contents::of_file(&Source::new("f", policy("")), Some("shop"));
    assert_eq!(contents.found[0].document["policies"][0]["metadata"]["namespace"], "shop");
    assert!(!contents.found[0].is_whole() && contents.diagnostics.is_empty());
    let mut rows = Rows::default();
    for (more, expected) in [
        ("", "f: error: $.metadata: `namespace` is missing"),
        ("apiVersion: security.istio.io/v1alpha1", "f: error: $.apiVersion: Istio has no version `v1alpha1` of it"),
        (
            "apiVersion: example.com/v1",
            "f: note: $.apiVersion: the AuthorizationPolicy of `example.com/v1` is not Istio's",
        ),
        ("spec: {action: \"{{ .Values.action }}\"}", "f: error: $: a template, which is not YAML until it is rendered"),
    ] {
        rows.contains(more, said(&policy(more)).first().map_or("", String::as_str), expected);
    }
}

#[test]
fn what_is_wrong_with_a_plugins_text_is_said() {
    let mut rows = Rows::default();
    for no_json in ["a: {", "schema: 1", r#"{"schema": 1,}"#] {
        let text = format!("config: {{root_id: weir, vm_config: {{}}, configuration: {{value: '{no_json}'}}}}");
        rows.contains(no_json, &said(&text)[0], "$.config.configuration.value: not JSON");
    }
    assert!(said("schema: 1\nname: a\nname: b")[0].contains("key `name` is given twice"));
    assert!(said("kind: Deployment\na: 1\na: 2").is_empty());
}

#[test]
fn routes_of_envoy_are_no_document() {
    let mut rows = Rows::default();
    for (text, options) in [
        ("name: r\nvirtual_hosts: []", 0),
        ("name: r\nignorePathParametersInPathMatching: true\nvirtualHosts: []", 1),
        ("resources: [{'@type': x, ignore_path_parameters_in_path_matching: true}]", 1),
        ("static_resources: {listeners: []}", 0),
        ("kind: EnvoyFilter\nspec: {patch: {value: {ignore_path_parameters_in_path_matching: true}}}", 1),
    ] {
        let contents = contents(text);
        rows.check(text, (contents.found.len(), contents.path_options.len()), (0, options));
    }
}

#[test]
fn what_is_known_and_not_taken_is_named() {
    let mut rows = Rows::default();
    let map = json!({"kind": "ConfigMap", "apiVersion": "v1", "data": {"config.yaml": "domain: d\ndescriptors: []\n"}});
    let filter = json!({"kind": "EnvoyFilter", "spec": {"configPatches": [{"patch": {"value": {"typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"}}}}]}});
    let object =
        |group: &str, kind: &str, spec: Value| json!({"apiVersion": format!("{group}/v1"), "kind": kind, "spec": spec});
    for (tree, expected) in [
        (map, "$.data[\"config.yaml\"]: `weir render` and `weir run` read no ConfigMaps"),
        (filter, "Envoy's own LocalRateLimit is not taken"),
        (json!([{"namespace": "a", "max_value": 1, "seconds": 60}]), "limits of Limitador"),
        (object("telemetry.istio.io", "Telemetry", json!({"metrics": []})), "Istio's Telemetry are not taken"),
        (
            object("gateway.envoyproxy.io", "BackendTrafficPolicy", json!({"rateLimit": {}})),
            "Envoy Gateway's rate limits",
        ),
        (
            object("gateway.envoyproxy.io", "SecurityPolicy", json!({"authorization": {}})),
            "SecurityPolicy is not taken",
        ),
        (object("kuadrant.io", "RateLimitPolicy", json!({})), "Kuadrant's limits"),
        (object("rbac.istio.io", "ServiceRole", json!({})), "Istio has not read this since 1.6"),
        (object("config.istio.io", "QuotaSpec", json!({})), "this configured Istio's Mixer"),
    ] {
        rows.contains(&tree, said(&tree.to_string()).first().map_or("", String::as_str), expected);
    }
    assert!(said(&object("gateway.envoyproxy.io", "BackendTrafficPolicy", json!({})).to_string()).is_empty());
}
