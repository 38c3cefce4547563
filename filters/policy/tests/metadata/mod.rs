//! Dynamic metadata from JSON, as Envoy hands it over.

use serde_json::Value;
use weir_model::{Struct, StructValue};

/// Serialises filters' metadata, by filter name.
pub(crate) fn encode(filters: &Value) -> Vec<u8> {
    let fields =
        |(name, fields): (&String, &Value)| (name.clone(), structure(fields).as_map().cloned().unwrap_or_default());
    let filters: Vec<(String, Struct)> = filters.as_object().into_iter().flatten().map(fields).collect();
    weir_proto::encode_metadata(filters.iter().map(|(name, fields)| (name.as_str(), fields)))
}

/// A JSON value as protobuf has it.
fn structure(value: &Value) -> StructValue {
    match value {
        Value::Null => StructValue::Null,
        Value::Bool(bool) => StructValue::Bool(*bool),
        Value::Number(number) => StructValue::Number(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => StructValue::Text(text.clone()),
        Value::Array(items) => StructValue::List(items.iter().map(structure).collect()),
        Value::Object(fields) => {
            StructValue::Map(fields.iter().map(|(key, value)| (key.clone(), structure(value))).collect())
        }
    }
}
