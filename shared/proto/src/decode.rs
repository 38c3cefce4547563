//! Bytes to the model's types. Bytes that are not such a message give `None`, never a part of one.
//!
//! prost refuses messages nested deeper than 100, which is some thirty levels of objects; the conversions below go no
//! deeper than the message they are given.

use crate::message::{
    BuildVersion, Field, FilterMetadata, MetadataMessage, NodeMessage, SemanticVersion, StructMessage, Value,
    value::Kind,
};
use prost::Message;
use weir_model::{EnvoyVersion, Node, Struct, StructValue};

/// Metadata by filter name, such as `istio` of a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata(Vec<(String, Struct)>);

impl Metadata {
    /// The metadata of a filter; of several entries the last, as protobuf has it.
    #[must_use]
    pub fn get(&self, filter: &str) -> Option<&Struct> {
        self.0.iter().rev().find(|(known, _)| known == filter).map(|(_, fields)| fields)
    }
}

/// Reads a serialised message.
pub fn decode<M: Message + Default>(bytes: &[u8]) -> Option<M> {
    M::decode(bytes).ok()
}

/// Reads a serialised `envoy.config.core.v3.Node`.
#[inline(never)]
pub fn decode_node(bytes: &[u8]) -> Option<Node> {
    let NodeMessage { id, cluster, metadata, build } = NodeMessage::decode(bytes).ok()?;
    Some(Node { id, cluster, envoy: build.and_then(version), metadata: metadata.map(plain_struct).unwrap_or_default() })
}

fn version(BuildVersion { version, metadata }: BuildVersion) -> Option<EnvoyVersion> {
    let SemanticVersion { major, minor, patch } = version?;
    let label = metadata.is_some_and(|metadata| metadata.fields.iter().any(|field| field.key == "build.label"));
    Some(EnvoyVersion { major, minor, patch, is_release: !label })
}

/// Reads a serialised `google.protobuf.Struct`.
pub fn decode_struct(bytes: &[u8]) -> Option<Struct> {
    Some(plain_struct(StructMessage::decode(bytes).ok()?))
}

/// Reads a serialised `envoy.config.core.v3.Metadata`.
pub fn decode_metadata(bytes: &[u8]) -> Option<Metadata> {
    let MetadataMessage { filter_metadata } = MetadataMessage::decode(bytes).ok()?;
    let entries = filter_metadata.into_iter();
    Some(Metadata(
        entries.map(|FilterMetadata { key, value }| (key, plain_struct(value.unwrap_or_default()))).collect(),
    ))
}

/// The fields of a message.
pub fn plain_struct(message: StructMessage) -> Struct {
    let fields = message.fields.into_iter();
    fields.map(|Field { key, value }| (key, value.map_or(StructValue::Null, plain_value))).collect()
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
