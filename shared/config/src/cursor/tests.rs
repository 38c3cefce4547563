use crate::read_document;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

fn problems(json: &str) -> Vec<String> {
    let result = read_document(json.as_bytes(), |at| {
        let mut fields = at.object()?;
        let size = fields.require("size").and_then(|at| at.integer(1, 9));
        let mode = fields.take("mode").and_then(|at| at.word(&[("on", 1), ("off", 2)]));
        let names = fields.take("names").map(|at| at.strings()).unwrap_or_default();
        fields.finish();
        Some((size?, mode, names.len()))
    });
    result.err().map(|p| p.0.iter().map(ToString::to_string).collect()).unwrap_or_default()
}

#[test]
fn all_problems_are_reported_at_once_with_their_places() {
    assert_eq!(
        problems(r#"{"size": 10, "mode": "maybe", "names": ["a", 1, {}], "nmaes": [], "x y": 1, "size": 2}"#),
        [
            "$.size: key is given twice",
            "$.size: expected a whole number from 1 to 9",
            "$.mode: `maybe` is not one of `on`, `off`",
            "$.names[1]: expected a string, found a number",
            "$.names[2]: expected a string, found an object",
            "$.nmaes: unknown field; did you mean `names`?",
            "$[\"x y\"]: unknown field",
        ]
    );
}

#[test]
fn tables() {
    let cases: [(&str, &[&str]); 8] = [
        (r#"{"size": 1}"#, &[]),
        (r#"{"size": 1, "mode": null}"#, &[]),
        (r#"{"size": 1, "mode": false}"#, &[]),
        (r#"{"size": 1, "mode": true}"#, &["$.mode: expected a string, found a boolean"]),
        (r#"{}"#, &["$: `size` is missing"]),
        (r#"[]"#, &["$: expected an object, found a list"]),
        (r#"{"size": -1}"#, &["$.size: expected a whole number from 1 to 9"]),
        (r#"{"size": 1.5}"#, &["$.size: expected a whole number from 1 to 9"]),
    ];
    let mut rows = Rows::default();
    for (json, expected) in cases {
        rows.check(json, problems(json), expected);
    }
    assert!(problems("{")[0].starts_with("$: not JSON: "));
    let deep = "[".repeat(100_000);
    assert!(problems(&deep)[0].starts_with("$: not JSON: "));
}
