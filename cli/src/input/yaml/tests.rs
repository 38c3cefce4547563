use super::{documents, json, one};
use crate::input::tree::{Budget, Position};
use serde_json::json;
use weir_testing::Rows;

#[test]
fn a_key_given_twice_is_refused_in_every_form() {
    let mut rows = Rows::default();
    for (text, expected) in [
        ("action: DENY\naction: ALLOW", "line 2, column 1: key `action` is given twice"),
        (r#"{"a": 1, "a": 2}"#, "line 1, column 10: key `a` is given twice"),
        ("- {b: {c: 1, c: 1}}", "line 1, column 14: key `c` is given twice"),
        ("true: 1\nyes: 2", "key `true` is given twice"),
    ] {
        rows.contains(text, &one(text).unwrap_err(), expected);
    }
    assert!(json(r#"{"a": {"b": 1, "b": 2}}"#).unwrap_err().contains("given twice"));
}

#[test]
fn anchors_are_followed_and_merges_where_the_reader_merges() {
    let anchored = "a: &x {b: 1}\nc: ";
    assert_eq!(one(&format!("{anchored}*x")).unwrap(), json!({"a": {"b": 1}, "c": {"b": 1}}));
    let merged = format!("{anchored}{{<<: *x}}");
    assert_eq!(one(&format!("kind: A\n{merged}")).unwrap()["c"], json!({"b": 1}));
    assert_eq!(one("kind: A\na: {<<: [{b: 1}, {b: 2, c: 3}], c: 4}").unwrap()["a"], json!({"b": 1, "c": 4}));
    // Envoy 1.40 on such a bootstrap: no such field: '<<'.
    let mut rows = Rows::default();
    for (text, expected) in [
        (merged.as_str(), "Envoy knows no merge key `<<`"),
        ("a: [{b: {<<: {c: 1}}}]", "line 1, column 10: Envoy knows no merge key"),
        ("kind: A\n<<: 1", "merges a mapping"),
        ("a: &x [*x]", "an alias of what is around it"),
        ("a: *x", "line 1, column 4: "),
    ] {
        rows.contains(text, &one(text).unwrap_err(), expected);
    }
}

#[test]
fn one_document_is_one() {
    let mut rows = Rows::default();
    for (text, error) in [
        ("", "it is empty"),
        ("---\n", "it is empty"),
        ("a: 1\n---\nb: 1", "it has 2 documents, and one is needed"),
        ("a: {", "not YAML: "),
        ("a:\n\t- b", "not YAML: "),
        ("? [a]\n: b", "a key that is not a text"),
    ] {
        rows.contains(text, &one(text).unwrap_err(), error);
    }
    assert_eq!(one("\u{feff}a: 1\n---\n").unwrap(), json!({"a": 1}));
}

#[test]
fn a_text_that_envoy_hands_over_is_json() {
    let mut rows = Rows::default();
    for text in ["a: {", "schema: 1", r#"{"schema": 1,}"#] {
        rows.contains(text, &json(text).unwrap_err(), "not JSON: ");
    }
}

#[test]
fn json_is_read_as_json() {
    let mut rows = Rows::default();
    for (text, expected) in [
        (r#"{"a": "\ud83d\ude00"}"#, json!({"a": "\u{1f600}"})),
        (r#"{"a": 18446744073709551615, "b": "off"}"#, json!({"a": u64::MAX, "b": "off"})),
        ("[\"\\u0000\"]", json!(["\0"])),
        ("{a: off}", json!({"a": false})),
    ] {
        rows.check(text, one(text).unwrap_or_default(), expected);
    }
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    assert!(one(&deep).is_err());
    let deep = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
    assert!(one(&deep).is_err());
}

#[test]
fn what_aliases_stand_for_is_bounded() {
    let line = |n: usize| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "));
    let bomb = |lines: usize| "a0: &a0 x\n".to_owned() + &(1..lines).map(line).collect::<String>();
    let keys: String = (0..1000).map(|key| format!("  k{key}: 1\n")).collect();
    let merges =
        |count| format!("a: &a\n{keys}") + &(0..count).map(|n| format!("b{n}: {{<<: *a}}\n")).collect::<String>();
    let lists = format!("a: &a\n{keys}b: {{<<: [{}]}}\n", vec!["*a"; 200].join(", "));
    let written = format!("- [{}]\n", vec!["1"; 10_000].join(", ")).repeat(3);
    let mut rows = Rows::default();
    for (name, text, is_read) in [
        ("some", bomb(5), true),
        ("aliases of aliases", bomb(10), false),
        ("documents of aliases", vec![bomb(5); 40].join("---\n"), false),
        ("some merges", merges(20), true),
        ("merges", merges(200), false),
        ("merges that add nothing", lists, false),
        ("no alias", vec![written; 4].join("---\n"), true),
    ] {
        let (_, fault) = documents(&text, &mut Budget(100_000));
        let said = fault.map(|fault| fault.message);
        rows.check(name, said.as_deref(), (!is_read).then_some("aliases stand for more than 4000000 values"));
    }
    // One is for all files of a command.
    let mut budget = Budget(100_000);
    let count = (0..40).take_while(|_| documents(&bomb(5), &mut budget).1.is_none()).count();
    rows.check("files of aliases", count < 10, true);
}

#[test]
fn values_know_where_they_stand() {
    let text = "# first\n---\n---\nkind: A\nspec:\n  rules:\n  - to: [{paths: [/a, /b]}]\n    \"x.y\": 1\n---\nb: 2\n";
    let (found, fault) = documents(text, &mut Budget::default());
    assert!(fault.is_none());
    let mut rows = Rows::default();
    for (path, line, column) in [
        ("$", 4, 1),
        ("$.spec", 5, 1),
        ("$.spec.rules[0]", 7, 5),
        ("$.spec.rules[0].to[0].paths[1]", 7, 23),
        (r#"$.spec.rules[0]["x.y"]"#, 8, 5),
        ("$.spec.rules[7].to", 6, 3),
        ("document 2: $.spec", 5, 1),
    ] {
        rows.check(path, found[0].position(path), Position { line, column });
    }
    assert_eq!(found[1].position("$.b"), Position { line: 10, column: 1 });
    let (found, _) = documents("{\n \"a\": {\n  \"b\": [1,\n 2]}}", &mut Budget::default());
    assert_eq!(found[0].position("$.a.b[1]"), Position { line: 4, column: 2 });
}

#[test]
fn what_precedes_a_fault_is_read() {
    let (found, fault) = documents("a: 1\n---\nb: {\n---\nc: 1\n", &mut Budget::default());
    assert_eq!(found.len(), 1);
    assert_eq!(fault.unwrap().at.unwrap().line, 4);
}
