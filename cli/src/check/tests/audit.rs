//! Where the records of decisions go.

use super::*;
use weir_testing::Rows;

#[test]
fn records_need_a_cluster() {
    let document =
        |mode: &str, to: Value| json!({"schema": 1, "name": "t", "mode": mode, "policies": [], "audit": {"to": to}});
    let otel = || json!({"otlp": {"cluster": "otel"}});
    let envoy = |clusters: Value, more: Value| {
        let wasm = filter(HTTP, document("shadow", otel()), json!({"failure_policy": "FAIL_OPEN"}));
        let manager = json!({"typed_config": {"http_filters": [wasm]}});
        let listener = json!({"filter_chains": [{"filters": [manager]}]});
        let mut tree = json!({"static_resources": {"listeners": [listener], "clusters": clusters}});
        tree.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        tree
    };
    let found = |tree: Value| {
        let contents = Contents::of(&tree);
        let mut lines = Vec::new();
        for found in &contents.found {
            let checked = check(found, Module::Policy, &contents, &Others::default());
            lines.extend(
                checked.diagnostics.iter().filter(|one| one.message.contains("cluster")).map(|one| one.path.clone()),
            );
        }
        lines
    };
    let place = "$.static_resources.listeners[0].filter_chains[0].filters[0].typed_config.http_filters[0].typed_config.config\
                 .configuration.value.audit.to.otlp.cluster";
    let mut rows = Rows::default();
    for (title, tree, expected) in [
        ("there", envoy(json!([{"name": "a"}, {"name": "otel"}]), json!({})), vec![]),
        ("another", envoy(json!([{"name": "other"}]), json!({})), vec![place.to_owned()]),
        ("none", envoy(json!([]), json!({})), vec![place.to_owned()]),
        ("discovered", envoy(json!([]), json!({"dynamic_resources": {"cds_config": {}}})), vec![]),
        ("discovered, in camel case", envoy(json!([]), json!({"dynamicResources": {"adsConfig": {}}})), vec![]),
        (
            "listeners are discovered",
            envoy(json!([]), json!({"dynamic_resources": {"lds_config": {}}})),
            vec![place.to_owned()],
        ),
    ] {
        rows.check(title, found(tree), expected);
    }
}
