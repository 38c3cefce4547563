use super::{Istio, problems};
use serde_json::{Value, json};
use weir_testing::Rows;

fn filter(context: &str, operation: &str) -> Value {
    let patch = json!({"applyTo": "HTTP_FILTER", "match": {"context": context}, "patch": {"operation": operation, "value": {}}});
    json!({"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter", "metadata": {}, "spec": {"configPatches": [patch]}})
}

/// What distinguishes the lines, from their release notes and resources.
#[test]
fn each_line_has_its_own_words() {
    let extension = json!({"apiVersion": "extensions.istio.io/v1alpha1", "kind": "TrafficExtension", "metadata": {},
        "spec": {"wasm": {"url": "oci://r/i"}}});
    let context = "$.spec.configPatches[0].match.context";
    let mut rows = Rows::default();
    for (name, object, first, expected) in [
        ("waypoint", filter("WAYPOINT", "INSERT_BEFORE"), Istio::V1_29, context),
        (
            "replace list",
            filter("GATEWAY", "MERGE_AND_REPLACE_LIST"),
            Istio::V1_31,
            "$.spec.configPatches[0].patch.operation",
        ),
        ("traffic extension", extension, Istio::V1_30, "Istio 1.2"),
    ] {
        for line in Istio::ALL {
            let found = problems(&object, line).join("\n");
            rows.check(format!("{name} {}", line.name()), found.is_empty(), line >= first);
            if line < first {
                rows.contains(name, &found, expected);
            }
        }
    }
}
