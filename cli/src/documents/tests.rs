use super::{Contents, find};
use serde_json::json;
use weir_testing::Rows;

fn paths(text: &str) -> Vec<String> {
    find(text).unwrap().found.into_iter().map(|found| found.path).collect()
}

#[test]
fn documents_are_found_where_envoy_and_istio_have_them() {
    let document = json!({"schema": 1, "name": "a"});
    assert_eq!(paths(&document.to_string()), ["$"]);
    assert_eq!(paths("pluginConfig: {}"), ["$.pluginConfig"]);
    assert_eq!(paths("kind: WasmPlugin\nspec: {pluginName: weir, pluginConfig: {schema: 1}}"), ["$.spec.pluginConfig"]);
    let plugin = |configuration, root_id| json!({"config": {"root_id": root_id, "vm_config": {}, "configuration": configuration}});
    let bootstrap = json!({"filters": [
        plugin(json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": document}), "weir"),
        plugin(json!({"value": document.to_string()}), ""),
        plugin(json!({"value": "not ours: {"}), "other"),
    ]});
    let Contents { found, .. } = find(&bootstrap.to_string()).unwrap();
    assert_eq!(found.len(), 2);
    let camel = |root| json!({"rootId": root, "vmConfig": {}, "configuration": {"value": {"schema": 1}}});
    assert_eq!(paths(&json!([camel("other"), camel("weir")]).to_string()), ["$[1].configuration.value"]);
    let list = r#"{"kind": "List", "items": [{"spec": {"pluginConfig": {}}}, {"kind": "AuthorizationPolicy"}]}"#;
    assert_eq!(paths(list), ["$.items[0].spec.pluginConfig", "$.items[1]"]);
    assert!(found.iter().all(|found| found.document == document));
    assert_eq!(found[1].path, "$.filters[1].config.configuration.value");
}

#[test]
fn of_several_yaml_documents_each_is_looked_through() {
    let text = "kind: Deployment\n---\nspec: {pluginConfig: {schema: 1}}\n---\nschema: 1\nname: a\n---\n";
    assert_eq!(paths(text), ["document 2: $.spec.pluginConfig", "document 3: $"]);
}

#[test]
fn what_has_no_plugin_is_a_document_and_what_is_not_yaml_is_an_error() {
    assert_eq!(paths("name: a"), ["$"]);
    assert!(paths("kind: Deployment").is_empty() && paths("").is_empty());
    let policy = &find("kind: AuthorizationPolicy").unwrap().found[0];
    assert_eq!(policy.document["policies"][0], json!({"kind": "AuthorizationPolicy"}));
    assert!(!policy.is_whole());
    let mut rows = Rows::default();
    for no_json in ["a: {", "schema: 1", r#"{"schema": 1,}"#] {
        let text = format!("config: {{vm_config: {{}}, configuration: {{value: '{no_json}'}}}}");
        rows.contains(no_json, &find(&text).unwrap_err(), "$.config.configuration.value: not JSON");
    }
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
        let contents = find(text).unwrap();
        rows.check(text, (contents.found.len(), contents.path_options.len()), (0, options));
        rows.check(text, contents.is_empty(), options == 0);
    }
}
