//! A checker for the structural schemas of Kubernetes: the keywords that those in `cli/schemas` use, and no others.

use crate::input;
use regex_lite::Regex;
use serde_json::{Map, Value};
use std::fmt;

/// One way in which a value differs from a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// JSON path.
    pub(crate) path: String,
    pub(crate) message: String,
    /// It is a field that the schema does not have, which the API server drops; anything else it refuses.
    pub(crate) is_unknown: bool,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Every way in which `value` differs from `schema`. A schema with an unknown keyword allows nothing: what is not checked must
/// not look as if it were.
pub(crate) fn differences(value: &Value, schema: &Value, path: &str) -> Vec<Difference> {
    let mut found = Differences(Vec::new());
    walk(value, schema, path, &mut found);
    found.0
}

/// The same, as lines.
pub(crate) fn check(value: &Value, schema: &Value, path: &str) -> Vec<String> {
    differences(value, schema, path).iter().map(Difference::to_string).collect()
}

#[derive(Debug)]
struct Differences(Vec<Difference>);

impl Differences {
    fn add(&mut self, path: &str, message: impl Into<String>) {
        self.0.push(Difference { path: path.to_owned(), message: message.into(), is_unknown: false });
    }
}

fn walk(value: &Value, schema: &Value, path: &str, found: &mut Differences) {
    let rules = match schema {
        Value::Object(rules) => rules,
        Value::Bool(true) => return,
        _ => return found.add(path, "is not allowed here"),
    };
    for (keyword, rule) in rules {
        let before = found.0.len();
        match (keyword.as_str(), value) {
            ("type", _) if !is_of_type(value, rule) => found.add(path, format!("expected {}", words(rule))),
            ("enum", _) if !list(rule).contains(value) => {
                found.add(path, format!("`{}` is not one of {}", bare(value), words(rule)));
            }
            ("const", _) if rule != value => found.add(path, format!("expected `{}`", bare(rule))),
            ("required", Value::Object(fields)) => {
                for name in list(rule).iter().filter_map(Value::as_str).filter(|name| !fields.contains_key(*name)) {
                    found.add(path, format!("`{name}` is missing"));
                }
            }
            ("properties", Value::Object(fields)) => {
                for (name, inner) in rule.as_object().into_iter().flatten() {
                    if let Some(field) = fields.get(name) {
                        walk(field, inner, &below(path, name), found);
                    }
                }
            }
            ("additionalProperties", Value::Object(fields)) => additional(fields, rules, rule, path, found),
            ("items", Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    walk(item, rule, &format!("{path}[{index}]"), found);
                }
            }
            ("pattern", Value::String(text)) => {
                let pattern = rule.as_str().unwrap_or_default();
                if !Regex::new(pattern).is_ok_and(|regex| regex.is_match(text)) {
                    found.add(path, format!("`{text}` does not match `{pattern}`"));
                }
            }
            ("allOf", _) => list(rule).iter().for_each(|inner| walk(value, inner, path, found)),
            ("oneOf", _) => {
                let fit = list(rule).iter().filter(|inner| check(value, inner, path).is_empty()).count();
                if fit != 1 {
                    found.add(path, format!("{fit} of its alternatives are given, and 1 is allowed"));
                }
            }
            ("anyOf", _) if list(rule).iter().all(|inner| !check(value, inner, path).is_empty()) => {
                found.add(path, "none of its alternatives is given");
            }
            ("not", _) if check(value, rule, path).is_empty() => found.add(path, "is not allowed together"),
            ("minimum" | "maximum" | "minLength" | "maxLength" | "minItems" | "maxItems" | "maxProperties", _) => {
                bound(value, keyword, rule, path, found);
            }
            _ => {}
        }
        let is_known = KEYWORDS.contains(&keyword.as_str()) || ANNOTATIONS.contains(&keyword.as_str());
        if before == found.0.len() && !is_known {
            found.add(path, format!("the schema's `{keyword}` is unknown to this checker"));
        }
    }
}

const KEYWORDS: [&str; 19] = [
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "enum",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "not",
    "oneOf",
    "pattern",
    "properties",
    "required",
    "type",
];

/// Keywords for readers, which ask nothing. CEL rules are there to be compared with those of a release; what asks for them in
/// the schema's own words stands beside them.
const ANNOTATIONS: [&str; 6] = ["$schema", "default", "description", "examples", "title", "x-kubernetes-validations"];

fn additional(
    fields: &Map<String, Value>,
    rules: &Map<String, Value>,
    rule: &Value,
    path: &str,
    found: &mut Differences,
) {
    let known = rules.get("properties").and_then(Value::as_object);
    for (name, field) in fields.iter().filter(|(name, _)| known.is_none_or(|known| !known.contains_key(*name))) {
        match rule {
            Value::Bool(false) => found.0.push(Difference {
                path: below(path, name),
                message: "unknown field".to_owned(),
                is_unknown: true,
            }),
            schema => walk(field, schema, &below(path, name), found),
        }
    }
}

fn bound(value: &Value, keyword: &str, rule: &Value, path: &str, found: &mut Differences) {
    let size = |count: usize| u32::try_from(count).map_or(f64::INFINITY, f64::from);
    let measured = match (keyword, value) {
        ("minimum" | "maximum", Value::Number(number)) => number.as_f64(),
        ("minLength" | "maxLength", Value::String(text)) => Some(size(text.chars().count())),
        ("minItems" | "maxItems", Value::Array(items)) => Some(size(items.len())),
        ("maxProperties", Value::Object(fields)) => Some(size(fields.len())),
        _ => None,
    };
    let (Some(measured), Some(limit)) = (measured, rule.as_f64()) else { return };
    let fits = if keyword.starts_with("min") { measured >= limit } else { measured <= limit };
    if !fits {
        found.add(path, format!("{measured} is beyond `{keyword}` {limit}"));
    }
}

fn is_of_type(value: &Value, rule: &Value) -> bool {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => false,
    };
    match rule {
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        name => name.as_str().is_some_and(is),
    }
}

fn list(rule: &Value) -> &[Value] {
    rule.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn below(path: &str, name: &str) -> String {
    input::field(path, name)
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn words(rule: &Value) -> String {
    match rule {
        Value::Array(words) => words.iter().map(|word| format!("`{}`", bare(word))).collect::<Vec<_>>().join(", "),
        word => format!("`{}`", bare(word)),
    }
}

#[cfg(test)]
mod tests;
