//! The node of a bootstrap, as Envoy shows it to the module.

use serde_json::Value;
use weir_model::{Node, StructValue};

/// The node that is written so. A bootstrap without one gives its plugins a node of which nothing is known.
pub(crate) fn of(written: Option<&Value>) -> Node {
    let text = |name| written.and_then(|node| node.get(name)?.as_str()).unwrap_or_default().to_owned();
    let metadata = written.and_then(|node| node.get("metadata")).map(value);
    Node {
        id: text("id"),
        cluster: text("cluster"),
        envoy: None,
        metadata: match metadata {
            Some(StructValue::Map(fields)) => fields,
            _ => Default::default(),
        },
    }
}

/// A JSON value as protobuf has it.
pub(crate) fn value(written: &Value) -> StructValue {
    match written {
        Value::Null => StructValue::Null,
        Value::Bool(yes) => StructValue::Bool(*yes),
        Value::Number(number) => StructValue::Number(number.as_f64().unwrap_or_default()),
        Value::String(text) => StructValue::Text(text.clone()),
        Value::Array(items) => StructValue::List(items.iter().map(value).collect()),
        Value::Object(fields) => {
            StructValue::Map(fields.iter().map(|(name, field)| (name.clone(), value(field))).collect())
        }
    }
}
