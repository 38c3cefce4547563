//! `cli/schemas/envoy-gateway/envoyextensionpolicy.json` beside the custom resource definition of a release:
//! `make compare-crd CRD=FILE`. The definition is not part of the project; the comparison is tested on a small one.
//!
//! The keywords of the definition are in the schema word for word, its CEL rules too. What the schema adds are
//! `additionalProperties: false`, as the API server drops unknown fields, and `allOf` beside CEL rules, which says them in the
//! schema's own words. Defaults and descriptions are not compared.

use serde_json::{Map, Value, json};
use std::fs;
use weir_testing::Rows;

/// Parts that Weir does not write; the schema only names them.
const NOT_DESCRIBED: [&str; 3] = ["spec.dynamicModule", "spec.extProc", "spec.lua"];

/// Keywords that are equal, or absent on both sides.
const EQUAL: [&str; 9] =
    ["type", "pattern", "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum", "maxProperties"];

/// Every difference between the schema and the definition, each with its path.
fn differences(schema: &Value, definition: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let of = |name: &str, place: &str| {
        definition.pointer(place).and_then(Value::as_str).map(|text| (name.to_owned(), text.to_owned()))
    };
    let wanted =
        |name: &str| schema.pointer(&format!("/properties/{name}/const")).and_then(Value::as_str).unwrap_or_default();
    let versions = definition.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten();
    let group = of("group", "/spec/group").map(|(_, group)| group).unwrap_or_default();
    let version = versions
        .into_iter()
        .find(|version| version["name"].as_str().is_some_and(|name| format!("{group}/{name}") == wanted("apiVersion")));
    if of("kind", "/spec/names/kind").is_none_or(|(_, kind)| kind != wanted("kind")) {
        found.push(format!("it does not define `{}`", wanted("kind")));
    }
    let Some(version) = version else {
        found.push(format!("it has no version `{}`", wanted("apiVersion")));
        return found;
    };
    let definition = &version["schema"]["openAPIV3Schema"]["properties"]["spec"];
    walk(&schema["properties"]["spec"], definition, "spec", &mut found);
    found
}

fn walk(schema: &Value, definition: &Value, path: &str, found: &mut Vec<String>) {
    if NOT_DESCRIBED.contains(&path) {
        return;
    }
    if definition["x-kubernetes-preserve-unknown-fields"] == true && definition.get("properties").is_none() {
        if *schema != json!(true) {
            found.push(format!("{path}: the definition takes anything"));
        }
        return;
    }
    for keyword in EQUAL {
        differ(path, keyword, schema.get(keyword).cloned(), definition.get(keyword).cloned(), found);
    }
    differ(path, "enum", words(schema), words(definition), found);
    differ(path, "required", sorted(schema.get("required")), sorted(definition.get("required")), found);
    differ(path, "rules", rules(schema), rules(definition), found);
    for keyword in ["allOf", "anyOf", "oneOf", "not", "const"] {
        let says_rules = keyword == "allOf" && rules(schema).is_some();
        if schema.get(keyword).is_some() && !says_rules {
            found.push(format!("{path}: `{keyword}` stands beside no CEL rule"));
        }
    }
    let empty = Map::new();
    let fields = |value: &'_ Value| value["properties"].as_object().unwrap_or(&empty).clone();
    let (own, theirs) = (fields(schema), fields(definition));
    for name in own.keys().filter(|name| !theirs.contains_key(*name)) {
        found.push(format!("{path}.{name}: the definition does not have it"));
    }
    for (name, field) in &theirs {
        match own.get(name) {
            Some(schema) => walk(schema, field, &format!("{path}.{name}"), found),
            None => found.push(format!("{path}.{name}: the schema does not have it")),
        }
    }
    if !theirs.is_empty() && schema["additionalProperties"] != false {
        found.push(format!("{path}: the schema takes unknown fields"));
    }
    for (keyword, place) in [("items", "[]"), ("additionalProperties", ".*")] {
        match (schema.get(keyword).filter(|value| value.is_object()), definition.get(keyword)) {
            (Some(schema), Some(definition)) => walk(schema, definition, &format!("{path}{place}"), found),
            (None, None) => {}
            _ => found.push(format!("{path}: `{keyword}` is on one side only")),
        }
    }
}

fn differ(path: &str, keyword: &str, own: Option<Value>, theirs: Option<Value>, found: &mut Vec<String>) {
    if own != theirs {
        let word = |value: Option<Value>| value.map_or("absent".to_owned(), |value| value.to_string());
        found.push(format!("{path}: `{keyword}` is {} in the schema, {} in the definition", word(own), word(theirs)));
    }
}

fn sorted(list: Option<&Value>) -> Option<Value> {
    let mut words = list?.as_array()?.clone();
    words.sort_by_key(Value::to_string);
    Some(json!(words))
}

/// The words of an enumeration; several in an `allOf`, as generators write them, leave the words that are in each.
fn words(value: &Value) -> Option<Value> {
    let inner = value["allOf"].as_array().into_iter().flatten().filter_map(|part| part["enum"].as_array());
    let all: Vec<&Vec<Value>> = value["enum"].as_array().into_iter().chain(inner).collect();
    let first = *all.first()?;
    let common: Vec<&Value> = first.iter().filter(|word| all.iter().all(|list| list.contains(word))).collect();
    sorted(Some(&json!(common)))
}

fn rules(value: &Value) -> Option<Value> {
    let rules = value["x-kubernetes-validations"].as_array()?;
    Some(json!(rules.iter().filter_map(|rule| rule["rule"].as_str()).map(str::trim).collect::<Vec<_>>()))
}

fn schema() -> Value {
    let path = super::workspace().join("cli/schemas/envoy-gateway/envoyextensionpolicy.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_schema_is_that_of_the_definition_in_crd() {
    let Some(path) = std::env::var_os("CRD") else { return };
    let definition = serde_yaml_ng::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let found = differences(&schema(), &definition);
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

/// A definition and the schema for it.
const DEFINITION: &str = "
spec:
  group: example.com
  names: {kind: Thing}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        properties:
          spec:
            type: object
            description: a thing
            required: [b, a]
            x-kubernetes-validations: [{rule: 'has(self.a) ', message: a}]
            properties:
              a: {type: string, minLength: 1, pattern: '^a'}
              b: {type: array, maxItems: 2, items: {type: string, allOf: [{enum: [x, y]}, {enum: [y, x, z]}]}}
              c: {x-kubernetes-preserve-unknown-fields: true}
              d: {type: object, additionalProperties: {type: integer, minimum: 1}}
              lua: {type: array, items: {type: string}}
";

fn small() -> Value {
    json!({"properties": {"apiVersion": {"const": "example.com/v1"}, "kind": {"const": "Thing"}, "spec": {
        "type": "object", "required": ["a", "b"], "additionalProperties": false,
        "x-kubernetes-validations": [{"rule": "has(self.a)"}], "allOf": [{"required": ["a"]}],
        "properties": {
            "a": {"type": "string", "minLength": 1, "pattern": "^a"},
            "b": {"type": "array", "maxItems": 2, "items": {"type": "string", "enum": ["x", "y"]}},
            "c": true,
            "d": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}},
            "lua": {"type": "array"},
        },
    }}})
}

#[test]
fn a_difference_of_a_release_is_found() {
    let mut rows = Rows::default();
    rows.check("the same", differences(&small(), &serde_yaml_ng::from_str(DEFINITION).unwrap()), Vec::<String>::new());
    for (old, new, expected) in [
        ("kind: Thing", "kind: Other", "it does not define `Thing`"),
        ("name: v1", "name: v2", "it has no version `example.com/v1`"),
        (
            "a: {type: string",
            "a: {type: integer",
            "spec.a: `type` is \"string\" in the schema, \"integer\" in the definition",
        ),
        ("minLength: 1, ", "", "spec.a: `minLength` is 1 in the schema, absent in the definition"),
        ("pattern: '^a'", "pattern: '^b'", "spec.a: `pattern` is \"^a\""),
        ("required: [b, a]", "required: [b]", "spec: `required` is [\"a\",\"b\"] in the schema, [\"b\"]"),
        ("has(self.a) ", "has(self.b)", "spec: `rules` is [\"has(self.a)\"] in the schema, [\"has(self.b)\"]"),
        ("maxItems: 2", "maxItems: 3", "spec.b: `maxItems` is 2"),
        ("{enum: [x, y]}", "{enum: [x]}", "spec.b[]: `enum` is [\"x\",\"y\"] in the schema, [\"x\"]"),
        ("minimum: 1", "minimum: 2", "spec.d.*: `minimum` is 1"),
        ("c: {x-kubernetes-preserve-unknown-fields: true}", "e: {type: string}", "spec.e: the schema does not have it"),
        ("c: {x-kubernetes-preserve-unknown-fields: true}", "e: {}", "spec.c: the definition does not have it"),
        (
            "d: {type: object, additionalProperties: {type: integer, minimum: 1}}",
            "d: {type: object}",
            "is on one side only",
        ),
    ] {
        assert!(DEFINITION.contains(old), "{old}");
        let definition = serde_yaml_ng::from_str(&DEFINITION.replacen(old, new, 1)).unwrap();
        rows.contains(format!("{old} becomes {new}"), &differences(&small(), &definition).join("\n"), expected);
    }
    for (name, place, value, expected) in [
        ("open", "/properties/spec/additionalProperties", json!(true), "spec: the schema takes unknown fields"),
        (
            "stricter",
            "/properties/spec/properties/a",
            json!({"const": "a"}),
            "spec.a: `const` stands beside no CEL rule",
        ),
        ("closed", "/properties/spec/properties/c", json!({}), "spec.c: the definition takes anything"),
    ] {
        let mut schema = small();
        *schema.pointer_mut(place).unwrap() = value;
        let definition = serde_yaml_ng::from_str(DEFINITION).unwrap();
        rows.contains(name, &differences(&schema, &definition).join("\n"), expected);
    }
}
