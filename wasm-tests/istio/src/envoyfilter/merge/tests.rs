use super::{Lists, merge, merge_any};
use serde_json::{Value, json};
use weir_testing::Rows;

fn merged(mut into: Value, from: &Value, lists: Lists) -> Value {
    merge(&mut into, from, lists);
    into
}

#[test]
fn fields_merge_by_their_kind() {
    let mut rows = Rows::default();
    for (rule, into, from, expected) in [
        ("a new field is added", json!({"a": 1}), json!({"b": 2}), json!({"a": 1, "b": 2})),
        ("a scalar is replaced", json!({"a": 1}), json!({"a": 2}), json!({"a": 2})),
        ("null is absence", json!({"a": 1}), json!({"a": null}), json!({"a": 1})),
        ("false is the default and changes nothing", json!({"a": true}), json!({"a": false}), json!({"a": true})),
        ("zero changes nothing", json!({"a": 4}), json!({"a": 0}), json!({"a": 4})),
        ("the empty text changes nothing", json!({"a": "x"}), json!({"a": ""}), json!({"a": "x"})),
        ("a default is added where the field is absent", json!({}), json!({"a": false}), json!({"a": false})),
        (
            "the first value of an enumeration changes nothing",
            json!({"lb_policy": "MAGLEV"}),
            json!({"lb_policy": "ROUND_ROBIN"}),
            json!({"lb_policy": "MAGLEV"}),
        ),
        ("messages are merged", json!({"m": {"a": 1}}), json!({"m": {"b": 2}}), json!({"m": {"a": 1, "b": 2}})),
        ("lists are appended", json!({"l": [1]}), json!({"l": [2]}), json!({"l": [1, 2]})),
        (
            "an entry of a map is replaced, not merged",
            json!({"typed_per_filter_config": {"x": {"a": 1}, "y": {}}}),
            json!({"typed_per_filter_config": {"x": {"b": 2}}}),
            json!({"typed_per_filter_config": {"x": {"b": 2}, "y": {}}}),
        ),
        (
            "a message in an Any is replaced",
            json!({"typed_config": {"@type": "t", "a": 1}}),
            json!({"typed_config": {"@type": "t", "b": 2}}),
            json!({"typed_config": {"@type": "t", "b": 2}}),
        ),
        (
            "one of several fields clears the others",
            json!({"redirect": {}, "name": "r"}),
            json!({"route": {"cluster": "c"}}),
            json!({"name": "r", "route": {"cluster": "c"}}),
        ),
        (
            "the field that is present is merged",
            json!({"route": {"cluster": "c"}}),
            json!({"route": {"timeout": "1s"}}),
            json!({"route": {"cluster": "c", "timeout": "1s"}}),
        ),
    ] {
        rows.check(rule, merged(into, &from, Lists::Append), expected);
    }
}

#[test]
fn lists_are_replaced_at_every_depth_if_that_is_asked() {
    let from = json!({"l": [2], "m": {"l": [3]}});
    let found = merged(json!({"l": [1], "m": {"l": [1], "a": 1}}), &from, Lists::Replace);
    assert_eq!(found, json!({"l": [2], "m": {"l": [3], "a": 1}}));
}

#[test]
fn messages_in_an_any_merge_only_if_they_are_of_one_type() {
    let mut rows = Rows::default();
    let same = merge_any(&json!({"@type": "t", "l": [1]}), &json!({"@type": "t", "l": [2], "a": 1}));
    rows.check("of one type", same, Ok(json!({"@type": "t", "l": [1, 2], "a": 1})));
    let other = merge_any(&json!({"@type": "t"}), &json!({"@type": "u"}));
    rows.check("of two types", other, Err("`t` with `u`".to_owned()));
    let kind = "type.googleapis.com/udpa.type.v1.TypedStruct";
    let structure = |value: Value| json!({"@type": kind, "type_url": "x", "value": value});
    let both = merge_any(&structure(json!({"a": {"b": 1}, "k": 1})), &structure(json!({"a": {"c": 2}})));
    rows.check("a structure is a map", both, Ok(structure(json!({"a": {"c": 2}, "k": 1}))));
}
