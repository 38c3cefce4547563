//! Conditions in CEL, which only Envoy evaluates: what is said of them without one.

use super::{folder, run};
use serde_json::{Value, json};
use std::fs;
use weir_testing::Rows;

const POLICIES: &str = r#"apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-internal, namespace: shop}
spec:
  action: DENY
  rules:
  - to: [{operation: {paths: ["/a/*"]}}]
    when: [{key: cel, values: ["request.path.contains('internal')", "request.method == 'PUT'"], notValues: ["false"]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: reads, namespace: shop}
spec: {rules: [{to: [{operation: {methods: [GET]}}]}]}
"#;

#[test]
fn a_decision_that_hangs_on_an_expression_is_undecided_and_names_it() {
    let folder = folder();
    fs::write(folder.path().join("cel.yaml"), POLICIES).unwrap();
    let of = |more: &[&'static str]| [&["cel.yaml", "--workload", "shop/cart"], more].concat();
    let asked = json!(["cel(false)", "cel(request.method == 'PUT')", "cel(request.path.contains('internal'))"]);
    let mut rows = Rows::default();
    for (path, method, expected) in [
        ("/a/b", "GET", json!(["undecided", "shop/no-internal", 0, asked])),
        // The path, or that nothing allows it, settles it.
        ("/b", "GET", json!(["allow", "shop/reads", 0, null])),
        ("/a/b", "POST", json!(["deny", null, null, null])),
    ] {
        let found = run(folder.path(), &of(&["--path", path, "--method", method, "--output", "json"]), "");
        let answer: Value = serde_json::from_str(&found.out).unwrap();
        let fields = ["decision", "policy", "rule", "missing"].map(|name| answer[name].clone());
        rows.check(format!("{method} {path}"), json!(fields), expected);
    }
    let found = run(folder.path(), &of(&["--path", "/a/b", "--method", "GET"]), "");
    let expected =
        "undecided: shop/no-internal rule 0 and perhaps others hang on cel(false), cel(request.method == 'PUT'), \
cel(request.path.contains('internal')), which only Envoy evaluates

considered for shop/cart: 2 policies with 2 rules

shop/no-internal (DENY)
  rule 0 is not decided
    yes to: paths /a/* <- path is /a/b
    ?   when[0]: cel request.path.contains('internal') <- only Envoy evaluates it
    ?   when[0]: cel not false <- only Envoy evaluates it
    ?   when[1]: cel request.method == 'PUT' <- only Envoy evaluates it
    ?   when[1]: cel not false <- only Envoy evaluates it
";
    assert!(found.out.starts_with(expected), "{}", found.out);
}
