use super::Sources;
use crate::render::size::compressed;
use serde_json::{Value, json};
use weir_testing::Rows;

fn policy(metadata: Value) -> Value {
    json!({"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": metadata, "spec": {}, "status": {}})
}

fn sorted(trees: &[Value], namespace: Option<&str>) -> Result<Sources, Vec<String>> {
    Sources::of(trees.iter().map(|tree| ("f.yaml".to_owned(), tree.clone())).collect(), namespace)
}

#[test]
fn each_tree_is_what_its_fields_say() {
    let named = || policy(json!({"name": "a", "namespace": "shop"}));
    let packed = compressed(&json!({"schema": 1, "policies": [named()]})).unwrap();
    let cases: [(&str, Value, [usize; 5]); 12] = [
        ("a document with packed policies", packed, [1, 1, 0, 0, 0]),
        ("a policy", named(), [0, 1, 0, 0, 0]),
        ("a list", json!({"kind": "List", "items": [named(), {"kind": "Service"}]}), [0, 1, 0, 0, 1]),
        ("its own list", json!({"kind": "AuthorizationPolicyList", "items": [named()]}), [0, 1, 0, 0, 0]),
        (
            "Linkerd's",
            json!({"apiVersion": "policy.linkerd.io/v1alpha1", "kind": "AuthorizationPolicy"}),
            [0, 0, 0, 0, 1],
        ),
        ("a Deployment", json!({"kind": "Deployment"}), [0, 0, 0, 0, 1]),
        ("a document", json!({"schema": 1, "name": "x"}), [1, 0, 0, 0, 0]),
        ("a document with policies", json!({"schema": 1, "policies": [named()]}), [1, 1, 0, 0, 0]),
        (
            "a suite with policies",
            json!({"schema": 1, "policy": {"policies": [{"kind": "List", "items": [named()]}]}}),
            [1, 1, 0, 0, 0],
        ),
        ("limits", json!({"domain": "d", "descriptors": []}), [0, 0, 1, 0, 0]),
        ("actions", json!({"rate_limits": []}), [0, 0, 0, 1, 0]),
        ("apply", json!({"apply": []}), [0, 0, 0, 1, 0]),
    ];
    let mut rows = Rows::default();
    for (name, tree, expected) in cases {
        let found = sorted(&[tree], None).unwrap();
        let Sources { documents, policies, limits, actions, others } = found;
        rows.check(name, [documents.len(), policies.len(), limits.len(), actions.len(), others], expected);
    }
}

#[test]
fn a_policy_is_kept_without_what_belongs_to_the_cluster() {
    let live = policy(json!({
        "name": "a", "namespace": "shop", "uid": "u", "resourceVersion": "7", "managedFields": [], "labels": {"x": "y"},
        "annotations": {"istio.io/dry-run": "true", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
    }));
    let expected = json!({
        "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
        "metadata": {"name": "a", "namespace": "shop", "annotations": {"istio.io/dry-run": "true"}}, "spec": {},
    });
    assert_eq!(sorted(&[live], None).unwrap().policies[0].object, expected);
}

#[test]
fn what_cannot_be_used_is_named_with_its_file() {
    let named = || policy(json!({"name": "a", "namespace": "shop"}));
    let nameless = policy(json!({"name": "a"}));
    let mut rows = Rows::default();
    for (trees, expected) in [
        (vec![json!({"tiers": []})], "f.yaml: is neither a Weir document"),
        (vec![json!("text")], "f.yaml: is neither a Weir document"),
        (vec![policy(json!({"namespace": "shop"}))], "f.yaml: an AuthorizationPolicy has no `metadata.name`"),
        (
            vec![nameless.clone()],
            "f.yaml: AuthorizationPolicy `a` has no `metadata.namespace`: write it, or give --namespace",
        ),
        (vec![named(), named()], "f.yaml: AuthorizationPolicy `shop/a` is in f.yaml too"),
        (vec![json!({"schema": 1, "policies": {}})], "f.yaml: `policies` is not a list"),
        (vec![json!({"schema": 1, "policiesGzip": "AAAA"})], "f.yaml: `policiesGzip`: not gzip, or damaged"),
        (vec![json!({"schema": 1, "policiesGzip": 7})], "f.yaml: `policiesGzip`: expected a text"),
    ] {
        rows.contains(expected, &sorted(&trees, None).unwrap_err().join("\n"), expected);
    }
    assert_eq!(sorted(&[nameless], Some("shop")).unwrap().policies[0].name, "shop/a");
}
