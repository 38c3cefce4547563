use super::{document, stream};
use serde_json::{Value, json};
use weir_testing::Rows;

/// Strings that some reader of YAML 1.1 or 1.2 takes for something else without quotes.
const AMBIGUOUS: [&str; 40] = [
    "",
    " ",
    "off",
    "OFF",
    "Off",
    "on",
    "yes",
    "No",
    "y",
    "N",
    "true",
    "False",
    "null",
    "~",
    "Null",
    "0123",
    "0x1F",
    "0o17",
    "0b11",
    "1_000",
    "12:30:45",
    "1.5",
    ".5",
    "-1",
    "+1",
    "1e3",
    ".inf",
    ".NaN",
    "2001-12-14",
    "<<",
    "=",
    "a: b",
    "a #b",
    "#a",
    "- a",
    "@type",
    "*",
    "&a",
    "!a",
    "a\nb",
];

#[test]
fn a_string_that_could_be_something_else_is_quoted_and_read_back() {
    let mut rows = Rows::default();
    for text in AMBIGUOUS {
        // The reader takes `<<` for a merge in quotes, too.
        let key = if text == "<<" { "=" } else { text };
        let tree = json!({"a": text, key: [text]});
        let written = document(&tree);
        rows.check(text, written.matches('"').count(), 6);
        rows.check(text, crate::input::one(&written), Ok(tree));
    }
}

#[test]
fn what_is_written_is_read_back() {
    let mut rows = Rows::default();
    for tree in [
        json!({"b": 1, "a": {"d": [], "c": {}}, "e": [1, [2, 3], {"f": null, "g": [true]}, {}]}),
        json!([{"name": "envoy.filters.http.router"}, "x"]),
        json!({"text": "a \"b\" \\ \t\u{7f}\u{85}\u{a0}\u{2028}ü\u{1f600}\u{feff}"}),
        json!({"number": 0.5, "big": 18446744073709551615_u64, "negative": -3}),
        json!("alone"),
    ] {
        rows.check(&tree, crate::input::one(&document(&tree)), Ok(tree.clone()));
    }
}

#[test]
fn keys_are_sorted_and_lists_are_where_kubectl_puts_them() {
    let tree =
        json!({"kind": "X", "apiVersion": "v1", "spec": {"items": [{"b": "off", "a": ["x", "/y"]}], "none": []}});
    let expected = "apiVersion: v1\nkind: X\nspec:\n  items:\n  - a:\n    - x\n    - /y\n    b: \"off\"\n  none: []\n";
    assert_eq!(document(&tree), expected);
    assert_eq!(stream(&[tree.clone(), Value::Null]), format!("{expected}---\nnull\n"));
}
