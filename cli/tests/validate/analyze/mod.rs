//! `weir analyze` as an operator calls it.
#![expect(clippy::indexing_slicing, clippy::panic, reason = "a test ends where it fails")]

mod page;

use crate::weir;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use weir_testing::Rows;

const OLD: &str = r#"kind: AuthorizationPolicy
metadata: {name: no-admin, namespace: shop}
spec: {action: DENY, rules: [{to: [{operation: {paths: ["/admin*"]}}]}]}
---
kind: AuthorizationPolicy
metadata: {name: callers, namespace: shop}
spec:
  rules:
  - from: [{source: {namespaces: [web]}}]
    to: [{operation: {methods: [GET, POST]}}]
  - to: [{operation: {paths: [/health]}}]
"#;

/// The rules of `callers` are others that mean the same.
const SAME: &str = r#"kind: AuthorizationPolicy
metadata: {name: no-admin, namespace: shop}
spec: {action: DENY, rules: [{to: [{operation: {paths: [/admin]}}, {operation: {paths: ["/admin*"]}}]}]}
---
kind: AuthorizationPolicy
metadata: {name: callers, namespace: shop}
spec:
  rules:
  - to: [{operation: {paths: [/health]}}]
  - from: [{source: {namespaces: [web]}}]
    to: [{operation: {methods: [GET]}}]
  - when: [{key: source.namespace, values: [web]}]
    to: [{operation: {methods: [POST], notPaths: ["/admin*"]}}]
"#;

/// A hole below `/admin`, a rule that is covered, and one that contradicts itself.
const NEW: &str = r#"kind: AuthorizationPolicy
metadata: {name: no-admin, namespace: shop}
spec: {action: DENY, rules: [{to: [{operation: {paths: [/admin]}}]}]}
---
kind: AuthorizationPolicy
metadata: {name: callers, namespace: shop}
spec:
  rules:
  - from: [{source: {namespaces: [web]}}]
    to: [{operation: {methods: [GET, POST]}}]
  - to: [{operation: {paths: [/health]}}]
  - from: [{source: {principals: [cluster.local/ns/web/sa/front]}}]
    to: [{operation: {methods: [GET], paths: ["/items/*"]}}]
  - to: [{operation: {methods: [GET], notMethods: ["G*"]}}]
"#;

/// A document that does not say where the direct peer's address is.
const DOCUMENT: &str = r#"schema: 1
name: cart
workload: {namespace: shop, labels: {}}
policies:
- kind: AuthorizationPolicy
  metadata: {name: near, namespace: shop}
  spec:
    rules:
    - from: [{source: {ipBlocks: [10.0.0.0/8]}}]
    - to: [{operation: {paths: [/]}}]
"#;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("weir-analyze-").tempdir().unwrap();
    for (name, text) in [("old.yaml", OLD), ("same.yaml", SAME), ("new.yaml", NEW), ("document.yaml", DOCUMENT)] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

const WHOSE: [&str; 2] = ["--workload", "shop/cart"];

fn report(folder: &Path, arguments: &[&str], input: &str) -> (i32, Value) {
    let arguments: Vec<&str> = arguments.iter().chain(&["--output", "json"]).copied().collect();
    let found = weir(folder, "analyze", &arguments, input.as_bytes());
    let report = serde_json::from_str(&found.out).unwrap_or_else(|error| panic!("{error}: {}", found.err));
    (found.code, report)
}

fn one(folder: &Path, arguments: &[&str]) -> (i32, Value) {
    let arguments: Vec<&str> = arguments.iter().chain(&WHOSE).copied().collect();
    let (code, report) = report(folder, &arguments, "");
    (code, report["workloads"][0].clone())
}

/// What `weir explain` says of an example.
fn explained(folder: &Path, file: &str, request: &Value) -> (String, Option<String>) {
    let request = request.to_string();
    let arguments = [file, "--workload", "shop/cart", "--output", "json", "--request", &request];
    let found = weir(folder, "explain", &arguments, b"");
    let answer: Value = serde_json::from_str(&found.out).unwrap_or_else(|error| panic!("{error}: {}", found.err));
    let rule = answer["policy"].as_str().map(|policy| format!("{policy}[{}]", answer["rule"]));
    (answer["decision"].as_str().unwrap().to_owned(), rule)
}

#[test]
fn rules_that_never_decide_are_named_with_the_reason_and_the_place() {
    let folder = folder();
    let (code, report) = one(folder.path(), &["new.yaml", "--examples"]);
    let mut rows = Rows::default();
    rows.check("exit code", code, 1);
    for (path, expected) in [
        ("/ruleCount", json!(5)),
        ("/neverDecide/0/rule", json!("shop/callers[2]")),
        ("/neverDecide/0/why", json!("covered")),
        ("/neverDecide/0/by", json!(["shop/callers[0]"])),
        ("/neverDecide/0/place", json!("new.yaml:12:5")),
        ("/neverDecide/1/rule", json!("shop/callers[3]")),
        ("/neverDecide/1/why", json!("contradiction")),
        ("/neverDecide/1/fields", json!(["method"])),
        ("/neverDecide/2", Value::Null),
        ("/unknown", json!([])),
        ("/passes/any", json!(true)),
        ("/refused/any", json!(true)),
    ] {
        rows.check(path, report.pointer(path).unwrap_or(&Value::Null), &expected);
    }
    // Each example is decided by its rule.
    let examples = report["examples"].as_array().unwrap();
    rows.check("examples", examples.len(), 3);
    for example in examples {
        let (_, rule) = explained(folder.path(), "new.yaml", &example["request"]);
        rows.check(example, rule.as_deref(), example["rule"].as_str());
    }
    let (code, _) = one(folder.path(), &["old.yaml"]);
    rows.check("nothing is wrong with the old ones", code, 0);
    let (_, report) = self::report(folder.path(), &["document.yaml"], "");
    let never = &report["workloads"][0]["neverDecide"];
    rows.check("what cannot be read", &never[0]["why"], &json!("unreadable"));
    rows.check("its place", &never[0]["place"], &json!("document.yaml:9:7"));
    rows.check("the other rule", &never[1], &Value::Null);
}

#[test]
fn two_sets_are_equivalent_or_differ_in_requests_that_are_shown() {
    let folder = folder();
    let mut rows = Rows::default();
    let (code, report) = one(folder.path(), &["same.yaml", "--against", "old.yaml"]);
    rows.check("the same in other words", (code, &report["differences"]["equivalent"]), (0, &json!(true)));
    let (code, report) = one(folder.path(), &["new.yaml", "--against", "old.yaml"]);
    let differences = &report["differences"];
    rows.check("others", (code, &differences["equivalent"]), (1, &json!(false)));
    let found = differences["found"].as_array().unwrap();
    assert!(!found.is_empty(), "{differences:#}");
    for difference in found {
        for (file, side) in [("old.yaml", "old"), ("new.yaml", "new")] {
            let said = &difference[side];
            let (decision, rule) = explained(folder.path(), file, &difference["request"]);
            rows.check(format!("{file}: {difference}"), decision, said["decision"].as_str().unwrap().to_owned());
            rows.check(format!("{file}: {difference}"), rule.as_deref(), said["rule"].as_str());
        }
        rows.check(difference, &difference["old"]["rule"], &json!("shop/no-admin[0]"));
    }
}

#[test]
fn who_can_reach_what_is_a_table_and_a_picture() {
    let folder = folder();
    let (_, report) = one(folder.path(), &["old.yaml", "--reach", "--graph", "reach.svg"]);
    let rows: Vec<String> = report["reach"]["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let part = |name: &str| {
                let part = &row[name];
                part["pattern"].as_str().or(part["of"].as_str()).unwrap().to_owned()
            };
            format!("{} {} {} {}", part("caller"), part("method"), part("path"), row["access"].as_str().unwrap())
        })
        .collect();
    let expected = [
        "web all /health always",
        "web GET others always",
        "web POST others always",
        "others all /health always",
        "no identity all /health always",
    ];
    assert_eq!(rows, expected);
    let picture = fs::read_to_string(folder.path().join("reach.svg")).unwrap();
    assert!(
        picture.starts_with("<svg ") && picture.contains("namespace web") && picture.contains("/health"),
        "{picture}"
    );
}

#[test]
fn all_workloads_of_the_files_are_analyzed_and_policies_for_none_are_named() {
    let folder = folder();
    let deployment = |name: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  template:\n    \
             metadata: {{labels: {{app: {name}}}}}\n---\n"
        )
    };
    let policy = |name: &str, app: &str| {
        format!(
            "kind: AuthorizationPolicy\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  selector: {{matchLabels: {{app: \
             {app}}}}}\n  rules: [{{}}]\n---\n"
        )
    };
    let text =
        [deployment("cart"), deployment("web"), policy("for-cart", "cart"), policy("for-none", "carts")].concat();
    let (code, report) = report(folder.path(), &["-"], &text);
    let names: Vec<&Value> = report["workloads"].as_array().unwrap().iter().map(|of| &of["workload"]).collect();
    assert_eq!(names, [&json!("shop/cart"), &json!("shop/web")]);
    assert_eq!((code, &report["forNoWorkload"]), (1, &json!(["shop/for-none"])));
    let policies = &report["workloads"][0]["policies"];
    assert_eq!((&policies[0]["policy"], &policies[0]["matchesAll"]), (&json!("shop/for-cart"), &json!(true)));
}

#[test]
fn where_the_time_ends_first_what_is_not_known_is_named() {
    let folder = folder();
    let (code, report) = one(folder.path(), &["new.yaml", "--against", "old.yaml", "--budget", "0s"]);
    assert_eq!((code, &report["differences"]["equivalent"]), (1, &Value::Null));
    assert_eq!(report["differences"]["found"], json!([]));
    let names: Vec<&str> =
        report["differences"]["unknown"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(names.contains(&"shop/no-admin[0]") && names.contains(&"shop/callers[0]"), "{names:?}");
    assert!(report["unknown"].as_array().is_some_and(|rules| rules.len() == 5), "{report:#}");
}

#[test]
fn the_other_forms_have_the_same_findings() {
    let folder = folder();
    let mut rows = Rows::default();
    for (form, expected) in [
        ("text", "shop/callers[2] (ALLOW)  new.yaml:12:5"),
        ("text", "newly allowed: "),
        (
            "markdown",
            "| `shop/callers[2] (ALLOW)` | `what it matches is matched by shop/callers[0], which decides before it` |",
        ),
        ("github", "::warning file=new.yaml,line=12,col=5,title=AuthorizationPolicy shop/callers::"),
    ] {
        let arguments = ["new.yaml", "--against", "old.yaml", "--workload", "shop/cart", "--output", form];
        let found = weir(folder.path(), "analyze", &arguments, b"");
        rows.check(format!("{form}: exit code, {}", found.err), found.code, 1);
        rows.check(format!("{form}: {}", found.out), found.out.contains(expected), true);
    }
}

#[test]
fn usage_errors_have_their_own_code() {
    let folder = folder();
    let mut rows = Rows::default();
    for arguments in [&[][..], &["nowhere.yaml"], &["new.yaml", "--budget", "soon"], &["-", "--against", "-"]] {
        rows.check(format!("{arguments:?}"), weir(folder.path(), "analyze", arguments, b"").code, 2);
    }
    fs::write(
        folder.path().join("bad.yaml"),
        "kind: AuthorizationPolicy\nmetadata: {name: a, namespace: b}\nspec: {action: X}",
    )
    .unwrap();
    rows.check("refused files", weir(folder.path(), "analyze", &["bad.yaml"], b"").code, 2);
}

#[test]
fn expressions_are_taken_for_any_outcome_and_every_example_says_which() {
    let folder = folder();
    let cel = |when: &str| {
        format!(
            "kind: AuthorizationPolicy
metadata: {{name: long, namespace: shop}}
spec:
  action: DENY
  rules:
  - to: [{{operation: {{paths: [\"/a*\"]}}}}]
  - when: [{{key: cel, {when}: [\"size(request.path) > 100\"]}}]
  - to: [{{operation: {{paths: [/a/b]}}}}]
    when: [{{key: cel, values: [\"size(request.path) > 9\"]}}]
"
        )
    };
    fs::write(folder.path().join("cel.yaml"), cel("values")).unwrap();
    fs::write(folder.path().join("other.yaml"), cel("notValues")).unwrap();
    let mut rows = Rows::default();
    let (code, found) = one(folder.path(), &["cel.yaml", "--examples"]);
    rows.check("a rule that never decides", (code, &found["neverDecide"][0]["rule"]), (1, &json!("shop/long[2]")));
    rows.check("by the rule that covers it", &found["neverDecide"][0]["by"], &json!(["shop/long[0]"]));
    rows.check("who asks", &found["withExpressions"], &json!(["shop/long[1]", "shop/long[2]"]));
    let examples = found["examples"].as_array().unwrap();
    rows.check("examples", examples.len(), 2);
    for example in examples {
        let (decision, rule) = explained(folder.path(), "cel.yaml", &example["request"]);
        let expected = ("deny".to_owned(), example["rule"].as_str().map(str::to_owned));
        rows.check(example["rule"].to_string(), (decision, rule), expected);
    }
    let (code, found) = one(folder.path(), &["cel.yaml", "--against", "cel.yaml"]);
    rows.check("equal", (code, &found["differences"]["equivalent"]), (0, &json!(true)));
    let (code, found) = one(folder.path(), &["cel.yaml", "--against", "other.yaml"]);
    rows.check("not equal", (code, &found["differences"]["equivalent"]), (1, &json!(false)));
    for difference in found["differences"]["found"].as_array().unwrap() {
        for (file, side) in [("other.yaml", "old"), ("cel.yaml", "new")] {
            let (decision, _) = explained(folder.path(), file, &difference["request"]);
            rows.check(format!("{side} of {difference}"), json!(decision), difference[side]["decision"].clone());
        }
    }
    let text = weir(folder.path(), "analyze", &[&["cel.yaml"][..], &WHOSE].concat(), b"").out;
    rows.check("it is said", text.contains("those of shop/long[1], shop/long[2] are taken for true, false"), true);
}
