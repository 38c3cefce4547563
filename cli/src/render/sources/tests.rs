use super::Sources;
use crate::render::size::compressed;
use crate::tree::Tree;
use serde_json::{Value, json};
use weir_testing::Rows;

fn policy(metadata: Value) -> Value {
    json!({"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": metadata, "spec": {}, "status": {}})
}

fn sorted(trees: &[Value], namespace: Option<&str>) -> Result<Sources, Vec<String>> {
    Sources::of(trees.iter().map(|tree| Tree::named("f.yaml", tree.clone())).collect(), namespace)
}

#[test]
fn each_tree_is_what_its_fields_say() {
    let named = || policy(json!({"name": "a", "namespace": "shop"}));
    let packed = compressed(&json!({"schema": 1, "policies": [named()]})).unwrap();
    let values = || json!({"replicaCount": 2, "image": {"tag": "x"}, "name": "cart"});
    let cases: [(&str, Value, [usize; 6]); 19] = [
        ("a document with packed policies", packed, [1, 1, 0, 0, 0, 0]),
        ("a policy", named(), [0, 1, 0, 0, 0, 0]),
        ("a list", json!({"kind": "List", "items": [named(), {"kind": "Service"}]}), [0, 1, 0, 0, 1, 0]),
        ("its own list", json!({"kind": "AuthorizationPolicyList", "items": [named()]}), [0, 1, 0, 0, 0, 0]),
        (
            "Linkerd's",
            json!({"apiVersion": "policy.linkerd.io/v1alpha1", "kind": "AuthorizationPolicy"}),
            [0, 0, 0, 0, 1, 0],
        ),
        ("a Deployment", json!({"kind": "Deployment"}), [0, 0, 0, 0, 1, 0]),
        ("a document", json!({"schema": 1, "name": "x"}), [1, 0, 0, 0, 0, 0]),
        ("a document with policies", json!({"schema": 1, "policies": [named()]}), [1, 1, 0, 0, 0, 0]),
        (
            "a suite with policies",
            json!({"schema": 1, "policy": {"policies": [{"kind": "List", "items": [named()]}]}}),
            [1, 1, 0, 0, 0, 0],
        ),
        ("limits", json!({"domain": "d", "descriptors": []}), [0, 0, 1, 0, 0, 0]),
        ("actions", json!({"rate_limits": []}), [0, 0, 0, 1, 0, 0]),
        ("apply", json!({"apply": []}), [0, 0, 0, 1, 0, 0]),
        ("values of Helm", values(), [0, 0, 0, 0, 0, 1]),
        ("values with a word of ours", json!({"apply": true, "image": "x"}), [0, 0, 0, 0, 0, 1]),
        ("another's schema", json!({"schema": "v2", "routes": []}), [0, 0, 0, 0, 0, 1]),
        ("weir.yaml", json!({"schema": 1, "workloads": []}), [0, 0, 0, 0, 0, 1]),
        ("requests", json!([{"say": "x", "method": "GET", "path": "/"}]), [0, 0, 0, 0, 0, 1]),
        ("a text", json!("text"), [0, 0, 0, 0, 0, 1]),
        ("a misspelt document stays one", json!({"schema": 1, "rateLimits": []}), [1, 0, 0, 0, 0, 0]),
    ];
    let mut rows = Rows::default();
    for (name, tree, expected) in cases {
        let found = sorted(&[tree], None).unwrap();
        let Sources { documents, policies, limits, actions, pods: _, services: _, others, foreign } = found;
        rows.check(name, [documents.len(), policies.len(), limits.len(), actions.len(), others, foreign], expected);
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
        (vec![json!({"policies": []})], "f.yaml: error: $: `schema` is missing: write `schema: 1`"),
        (
            vec![policy(json!({"namespace": "shop"}))],
            "f.yaml: error: AuthorizationPolicy shop/?: $.metadata: `name` is missing",
        ),
        (
            vec![nameless.clone()],
            "f.yaml: error: AuthorizationPolicy a: $.metadata: `namespace` is missing: write it, or give --namespace",
        ),
        (
            vec![policy(json!({"name": "a..b", "namespace": "shop"}))],
            "f.yaml: error: AuthorizationPolicy shop/a..b: $.metadata.name: `a..b` is not a name",
        ),
        (
            vec![policy(json!({"name": "a", "namespace": "a.b"}))],
            "f.yaml: error: AuthorizationPolicy a.b/a: $.metadata.namespace: `a.b` is not a namespace",
        ),
        (vec![named(), named()], "f.yaml: error: AuthorizationPolicy shop/a: $: it is given twice, first at f.yaml:"),
        (vec![json!({"schema": 1, "policies": {}})], "f.yaml: error: $.policies: expected a list"),
        (vec![json!({"schema": 1, "policiesGzip": "AAAA"})], "f.yaml: error: $.policiesGzip: not gzip, or damaged"),
        (vec![json!({"schema": 1, "policiesGzip": 7})], "f.yaml: error: $.policiesGzip: expected a text"),
    ] {
        rows.contains(expected, &sorted(&trees, None).unwrap_err().join("\n"), expected);
    }
    assert_eq!(sorted(&[nameless], Some("shop")).unwrap().policies[0].name, "shop/a");
}

#[test]
fn policies_without_a_namespace_are_one_problem_of_their_file() {
    let all: Vec<Value> = (0..8).map(|number| policy(json!({"name": format!("p{number}")}))).collect();
    let problems = sorted(&all, None).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].ends_with("; so it is of `p1`, `p2`, `p3`, `p4`, `p5` and 2 more"), "{problems:?}");
}
