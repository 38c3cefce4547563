//! `MERGE`: what istiod does with two protobuf messages (`pkg/proto/merge`), on their JSON forms.
//!
//! Lists are appended, messages merged field by field, entries of maps replaced, and so are durations and messages inside
//! an `Any`. A field that has its default value (`false`, `0`, the empty text) is not present in a message, so it changes
//! nothing. Where one of several fields may be present (a oneof), setting one clears the others. The JSON form does not say
//! which fields are maps, oneofs or enumerations: the lists below have those of the messages that a patch can be about.

use serde_json::{Map, Value};

/// What becomes of a list that both sides have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lists {
    /// `MERGE`: the patch's items are added at the end.
    Append,
    /// `MERGE_AND_REPLACE_LIST`: the patch's items are all there are.
    Replace,
}

/// Fields that are maps, or free-form structures, which hold one: an entry replaces the entry of that name.
const MAPS: [&str; 6] = [
    "filter_metadata",
    "key_values",
    "typed_extension_protocol_options",
    "typed_filter_metadata",
    "typed_per_filter_config",
    "extension_protocol_options",
];

/// Fields of which only one is present.
const ONE_OF: [&[&str]; 11] = [
    &["ads", "api_config_source", "path", "path_config_source", "self"],
    &["cluster", "cluster_header", "cluster_specifier_plugin", "inline_cluster_specifier_plugin", "weighted_clusters"],
    &["cluster_type", "type"],
    &["config_discovery", "typed_config"],
    &["direct_response", "filter_action", "non_forwarding_action", "redirect", "route"],
    &["contains", "custom", "exact", "prefix", "safe_regex", "suffix"],
    &["connect_matcher", "path", "path_match_policy", "path_separated_prefix", "prefix", "safe_regex"],
    &["environment_variable", "filename", "inline_bytes", "inline_string"],
    &["envoy_internal_address", "pipe", "socket_address"],
    &["local", "remote"],
    &["rds", "route_config", "scoped_routes"],
];

/// Enumerations whose first value is this: it is the default, so setting it changes nothing.
const FIRST_VALUES: [(&str, &str); 4] = [
    ("codec_type", "AUTO"),
    ("dns_lookup_family", "AUTO"),
    ("lb_policy", "ROUND_ROBIN"),
    ("server_header_transformation", "OVERWRITE"),
];

/// Merges `from` into `into`.
pub(crate) fn merge(into: &mut Value, from: &Value, lists: Lists) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => merge_fields(into, from, lists),
        (into, from) => *into = from.clone(),
    }
}

/// The message that comes of merging two messages that each stand in an `Any`.
///
/// # Errors
/// When they are of different types, which makes istiod panic.
pub(crate) fn merge_any(into: &Value, from: &Value) -> Result<Value, String> {
    // A type is what follows the last slash, as protobuf's libraries find it.
    let kind = |any: &Value| {
        let url = any.get("@type").and_then(Value::as_str).unwrap_or_default();
        url.rsplit('/').next().unwrap_or_default().to_owned()
    };
    let (left, right) = (kind(into), kind(from));
    if left != right {
        return Err(format!("`{left}` with `{right}`"));
    }
    let mut merged = into.clone();
    merge(&mut merged, from, Lists::Append);
    if let (Some(fields), Some(own)) = (merged.as_object_mut(), into.get("@type")) {
        fields.insert("@type".to_owned(), own.clone());
    }
    Ok(merged)
}

fn merge_fields(into: &mut Map<String, Value>, from: &Map<String, Value>, lists: Lists) {
    let structure = is_structure(into);
    for (field, value) in from {
        if value.is_null() || (into.contains_key(field) && is_default(field, value)) {
            continue;
        }
        for other in ONE_OF.iter().filter(|group| group.contains(&field.as_str())).copied().flatten() {
            // Fields of the same names that stand side by side are of another message, in which each may be present.
            if other != field && !from.contains_key(*other) && !into.contains_key(field) {
                into.remove(*other);
            }
        }
        let map = MAPS.contains(&field.as_str()) || (structure && field == "value");
        match (into.get_mut(field), value) {
            (Some(Value::Array(list)), Value::Array(items)) if lists == Lists::Append => {
                list.extend(items.iter().cloned());
            }
            (Some(Value::Object(entries)), Value::Object(others)) if map => {
                entries.extend(others.iter().map(|(name, entry)| (name.clone(), entry.clone())));
            }
            (Some(Value::Object(message)), Value::Object(fields)) if !fields.contains_key("@type") => {
                merge_fields(message, fields, lists);
            }
            _ => {
                into.insert(field.clone(), value.clone());
            }
        }
    }
}

/// Whether this is an `Any` that holds a free-form structure.
fn is_structure(any: &Map<String, Value>) -> bool {
    any.get("@type").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("Struct"))
}

fn is_default(field: &str, value: &Value) -> bool {
    match value {
        Value::Bool(set) => !set,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty() || FIRST_VALUES.contains(&(field, text.as_str())),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
