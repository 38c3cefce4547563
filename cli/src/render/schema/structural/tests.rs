use super::check;
use serde_json::{Value, json};
use weir_testing::Rows;

#[test]
fn each_keyword_refuses_what_it_is_for() {
    let one_of = json!({"oneOf": [{"not": {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}}, {"required": ["a"]},
        {"required": ["b"]}]});
    let closed = json!({"properties": {"a": {"type": "string"}}, "additionalProperties": false});
    let cases: [(Value, Value, &str); 29] = [
        (json!(1), json!({"type": "integer"}), ""),
        (json!(1.5), json!({"type": "integer"}), "$: expected `integer`"),
        (json!(null), json!({"type": ["integer", "null"]}), ""),
        (json!("x"), json!({"type": ["integer", "null"]}), "$: expected `integer`, `null`"),
        (json!("x"), json!({"enum": ["x", "y"]}), ""),
        (json!("z"), json!({"enum": ["x", "y"]}), "$: `z` is not one of `x`, `y`"),
        (json!("v1"), json!({"const": "v2"}), "$: expected `v2`"),
        (json!({"a": 1}), json!({"required": ["a", "b"]}), "$: `b` is missing"),
        (json!({"a": 1}), closed.clone(), "$.a: expected `string`"),
        (json!({"a": "", "c": 1}), closed.clone(), "$.c: unknown field"),
        (json!({"x": 1}), json!({"additionalProperties": {"type": "string"}}), "$.x: expected `string`"),
        (json!({"x": ""}), json!({"additionalProperties": {"type": "string"}}), ""),
        (json!([1, "x"]), json!({"items": {"type": "integer"}}), "$[1]: expected `integer`"),
        (json!("abc"), json!({"pattern": "^[a-c]+$"}), ""),
        (json!("abd"), json!({"pattern": "^[a-c]+$"}), "$: `abd` does not match `^[a-c]+$`"),
        (json!({}), one_of.clone(), ""),
        (json!({"a": 1}), one_of.clone(), ""),
        (json!({"a": 1, "b": 1}), one_of, "$: 2 of its alternatives are given, and 1 is allowed"),
        (json!({"a": 1}), json!({"not": {"required": ["a"]}}), "$: is not allowed together"),
        (json!(65_536), json!({"maximum": 65_535}), "$: 65536 is beyond `maximum` 65535"),
        (json!(0), json!({"minimum": 1}), "$: 0 is beyond `minimum` 1"),
        (json!(""), json!({"minLength": 1}), "$: 0 is beyond `minLength` 1"),
        (json!("aü"), json!({"maxLength": 2}), ""),
        (json!([1, 2]), json!({"maxItems": 1}), "$: 2 is beyond `maxItems` 1"),
        (json!([]), json!({"minItems": 1}), "$: 0 is beyond `minItems` 1"),
        (json!("ab"), json!({"allOf": [{"maxLength": 2}, {"const": "ab"}], "x-kubernetes-validations": []}), ""),
        (json!("ab"), json!({"allOf": [{"maxLength": 1}, {"const": "ab"}]}), "$: 2 is beyond `maxLength` 1"),
        (json!({"a": 1, "b": 2}), json!({"maxProperties": 1}), "$: 2 is beyond `maxProperties` 1"),
        (json!(1), json!({"multipleOf": 2}), "$: the schema's `multipleOf` is unknown to this checker"),
    ];
    let mut rows = Rows::default();
    for (value, schema, expected) in cases {
        rows.check(format!("{value} by {schema}"), check(&value, &schema, "$").join("\n"), expected.to_owned());
    }
}
