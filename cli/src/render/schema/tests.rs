use super::{Istio, gateway_problems, problems};
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

/// The rules of `EnvoyExtensionPolicy` in Envoy Gateway 1.7 to 1.9.
#[test]
fn envoy_gateway_takes_one_source_and_a_target_of_its_kinds() {
    let object = |target: Value, code: Value| {
        json!({"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "EnvoyExtensionPolicy", "metadata": {}, "spec": {
            "targetRefs": [target], "wasm": [{"code": code}],
        }})
    };
    let target = |kind: &str| json!({"group": "gateway.networking.k8s.io", "kind": kind, "name": "a"});
    let image = json!({"type": "Image", "image": {"url": "r/i"}});
    let code = "$.spec.wasm[0].code: ";
    let alternatives = || format!("{code}0 of its alternatives");
    let with = |more: Value| {
        let mut target = target("Gateway");
        target.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        object(target, image.clone())
    };
    let mut both = object(target("Gateway"), image.clone());
    both["spec"]["targetRef"] = target("Gateway");
    let mut rows = Rows::default();
    for (name, object, expected) in [
        ("an image", object(target("Gateway"), image.clone()), String::new()),
        ("no source", object(target("Gateway"), json!({"type": "Image"})), alternatives()),
        (
            "two sources",
            object(target("Gateway"), json!({"type": "Image", "image": {"url": "r/i"}, "http": {"url": "x"}})),
            alternatives(),
        ),
        (
            "a service",
            object(target("Service"), image.clone()),
            "$.spec.targetRefs[0].kind: `Service` is not one of".to_owned(),
        ),
        (
            "a source of another type",
            object(target("Gateway"), json!({"type": "HTTP", "image": {"url": "r/i"}})),
            alternatives(),
        ),
        (
            "another port",
            with(json!({"sectionName": "Port:80"})),
            "$.spec.targetRefs[0].sectionName: `Port:80`".to_owned(),
        ),
        ("another group", with(json!({"group": ""})), "$.spec.targetRefs[0].group: expected".to_owned()),
        ("both ways to name targets", both, "$.spec: none of its alternatives is given".to_owned()),
    ] {
        let found = gateway_problems(&object).join("\n");
        rows.check(name, found.is_empty(), expected.is_empty());
        rows.contains(name, &found, &expected);
    }
}
