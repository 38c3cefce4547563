use super::Sides;
use serde_json::{Value, json};
use weir_testing::Rows;

fn differences(deployed: &Value, rendered: &Value) -> Vec<String> {
    super::differences(deployed, rendered, Sides { left: "deployed", right: "described" })
}

fn object(more: Value) -> Value {
    let mut object =
        json!({"kind": "WasmPlugin", "metadata": {"name": "a", "namespace": "shop"}, "spec": {"priority": 1}});
    for (pointer, value) in more.as_object().unwrap() {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        object.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(name.to_owned(), value.clone());
    }
    object
}

#[test]
fn what_the_api_server_writes_is_no_difference() {
    let live = object(json!({
        "/status": {"conditions": []},
        "/metadata/uid": "u", "/metadata/resourceVersion": "7", "/metadata/generation": 2, "/metadata/managedFields": [],
        "/metadata/creationTimestamp": "2026-01-01T00:00:00Z",
        "/metadata/annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
    }));
    assert_eq!(differences(&live, &object(json!({}))), Vec::<String>::new());
}

#[test]
fn a_difference_has_its_path_and_both_values() {
    let policy =
        |name: &str, rules: Value| json!({"metadata": {"namespace": "shop", "name": name}, "spec": {"rules": rules}});
    let spec = |policies: Vec<Value>| object(json!({"/spec/policies": policies}));
    let plain = || object(json!({}));
    let mut rows = Rows::default();
    for (name, deployed, rendered, expected) in [
        (
            "a value",
            object(json!({"/spec/priority": 2})),
            plain(),
            vec!["$.spec.priority: deployed is `2`, described is `1`"],
        ),
        (
            "a type",
            object(json!({"/spec/priority": "1"})),
            plain(),
            vec!["$.spec.priority: deployed is `\"1\"`, described is `1`"],
        ),
        (
            "one more field",
            object(json!({"/spec/url": "u"})),
            plain(),
            vec!["$.spec.url: is deployed, and not described"],
        ),
        (
            "one field less",
            plain(),
            object(json!({"/spec/url": "u"})),
            vec!["$.spec.url: is described, and not deployed"],
        ),
        (
            "a label",
            object(json!({"/metadata/labels": {"a.b/c": "d"}})),
            plain(),
            vec!["$.metadata.labels: is deployed, and not described"],
        ),
        (
            "items",
            object(json!({"/spec/match": [{"mode": "CLIENT"}, {}]})),
            object(json!({"/spec/match": [{"mode": "SERVER"}]})),
            vec![
                "$.spec.match[0].mode: deployed is `\"CLIENT\"`, described is `\"SERVER\"`",
                "$.spec.match: 2 items are deployed, 1 are described",
            ],
        ),
        (
            "a policy in the middle",
            spec(vec![policy("a", json!([])), policy("c", json!([{}]))]),
            spec(vec![policy("a", json!([])), policy("b", json!([])), policy("c", json!([]))]),
            vec![
                "$.spec.policies[\"shop/c\"].spec.rules: 1 items are deployed, 0 are described",
                "$.spec.policies[\"shop/b\"]: is described, and not deployed",
            ],
        ),
    ] {
        let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
        rows.check(name, differences(&deployed, &rendered), expected);
    }
}

#[test]
fn a_long_value_is_shortened() {
    let found = differences(&object(json!({"/spec/x": "é".repeat(500)})), &object(json!({"/spec/x": "y"})));
    assert!(found[0].len() < 250 && found[0].contains("...`"), "{found:?}");
}
