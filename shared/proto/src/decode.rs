//! Bytes to the model's types. Bytes that are no such message give `None`, never a part of one.
//!
//! prost refuses messages nested deeper than 100, which is some thirty levels of objects; the conversions below go no
//! deeper than the message they are given.

use crate::message::{MetadataMessage, NodeMessage, StructMessage, Value, value::Kind};
use prost::Message;
use std::collections::BTreeMap;
use weir_model::{Node, Struct, StructValue};

/// Metadata by filter name, such as `istio` of a cluster.
pub type Metadata = BTreeMap<String, Struct>;

/// Reads a serialised `envoy.config.core.v3.Node`.
pub fn decode_node(bytes: &[u8]) -> Option<Node> {
    let NodeMessage { id, cluster, metadata } = NodeMessage::decode(bytes).ok()?;
    Some(Node { id, cluster, metadata: metadata.map(plain_struct).unwrap_or_default() })
}

/// Reads a serialised `google.protobuf.Struct`.
pub fn decode_struct(bytes: &[u8]) -> Option<Struct> {
    Some(plain_struct(StructMessage::decode(bytes).ok()?))
}

/// Reads a serialised `envoy.config.core.v3.Metadata`.
pub fn decode_metadata(bytes: &[u8]) -> Option<Metadata> {
    let MetadataMessage { filter_metadata } = MetadataMessage::decode(bytes).ok()?;
    // `collect` would sort what comes in order, with kilobytes of code.
    let mut metadata = Metadata::new();
    metadata.extend(filter_metadata.into_iter().map(|(filter, fields)| (filter, plain_struct(fields))));
    Some(metadata)
}

fn plain_struct(message: StructMessage) -> Struct {
    let mut fields = Struct::new();
    fields.extend(message.fields.into_iter().map(|(key, value)| (key, plain_value(value))));
    fields
}

fn plain_value(value: Value) -> StructValue {
    match value.kind {
        None | Some(Kind::Null(_)) => StructValue::Null,
        Some(Kind::Number(number)) => StructValue::Number(number),
        Some(Kind::Text(text)) => StructValue::Text(text),
        Some(Kind::Bool(bool)) => StructValue::Bool(bool),
        Some(Kind::Struct(fields)) => StructValue::Map(plain_struct(fields)),
        Some(Kind::List(list)) => StructValue::List(list.values.into_iter().map(plain_value).collect()),
    }
}

#[cfg(test)]
mod tests;
