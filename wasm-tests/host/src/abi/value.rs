//! Values of attributes, their encoding for modules, and the walk along a property's path.

use crate::abi::pairs;
use crate::abi::status::Status;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// A value as Envoy's CEL attributes have them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bytes(Vec<u8>),
    Int(i64),
    Uint(u64),
    Double(f64),
    Bool(bool),
    /// Nanoseconds.
    Duration(i64),
    /// Nanoseconds since the Unix epoch.
    Timestamp(i64),
    /// A protobuf message: as it is serialised, and its fields by name.
    Message(Vec<u8>, BTreeMap<Vec<u8>, Value>),
    Map(BTreeMap<Vec<u8>, Value>),
    /// A root of the attribute tree, which has entries and no encoding.
    Root(BTreeMap<Vec<u8>, Value>),
    List(Vec<Value>),
}

impl Value {
    pub(crate) fn text(text: &str) -> Value {
        Value::Bytes(text.as_bytes().to_vec())
    }

    /// A `Struct`'s value.
    pub(crate) fn from_json(json: &Json) -> Value {
        match json {
            Json::Null => Value::Null,
            Json::Bool(flag) => Value::Bool(*flag),
            Json::Number(number) => Value::Double(number.as_f64().unwrap_or(0.0)),
            Json::String(text) => Value::text(text),
            Json::Array(items) => Value::List(items.iter().map(Value::from_json).collect()),
            Json::Object(map) => Value::from_map(map),
        }
    }

    /// A `Struct`.
    pub(crate) fn from_map(map: &serde_json::Map<String, Json>) -> Value {
        Value::Map(map.iter().map(|(key, value)| (key.as_bytes().to_vec(), Value::from_json(value))).collect())
    }

    /// The encoding for modules: strings raw, numbers 8 bytes little endian, maps and lists as pairs.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Status> {
        Ok(match self {
            Value::Null | Value::Root(_) => return Err(Status::SerializationFailure),
            Value::Bytes(bytes) | Value::Message(bytes, _) => bytes.clone(),
            Value::Int(number) | Value::Duration(number) | Value::Timestamp(number) => number.to_le_bytes().to_vec(),
            Value::Uint(number) => number.to_le_bytes().to_vec(),
            Value::Double(number) => number.to_le_bytes().to_vec(),
            Value::Bool(flag) => vec![u8::from(*flag)],
            Value::Map(map) => {
                let mut out = Vec::with_capacity(map.len());
                for (key, value) in map {
                    out.push((key.clone(), value.encode()?));
                }
                pairs::write(&out)
            }
            Value::List(items) => {
                let mut out = Vec::with_capacity(items.len());
                for item in items {
                    out.push((item.encode()?, Vec::new()));
                }
                pairs::write(&out)
            }
        })
    }

    /// What one more element of a path leads to: a map's entry, a message's field, a list's item.
    pub(crate) fn step(&self, element: &[u8]) -> Option<&Value> {
        match self {
            Value::Map(map) | Value::Root(map) | Value::Message(_, map) => map.get(element),
            Value::List(items) => items.get(std::str::from_utf8(element).ok()?.parse::<usize>().ok()?),
            _ => None,
        }
    }
}
