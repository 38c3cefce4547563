//! The model's types to bytes.

use crate::message::{
    EnvoyGrpcMessage, Field, FilterMetadata, GrpcServiceMessage, ListValue, MetadataMessage, StructMessage, Value,
    value::Kind,
};
use prost::Message;
use weir_model::{Struct, StructValue};

/// A serialised message.
pub fn encode(message: &impl Message) -> Vec<u8> {
    message.encode_to_vec()
}

/// A serialised `envoy.config.core.v3.GrpcService` whose target is a cluster. An empty `authority` means the cluster name.
///
/// The target is always there: a `GrpcService` without one ends the Envoy process.
pub fn encode_grpc_service(cluster: &str, authority: &str) -> Vec<u8> {
    let target = EnvoyGrpcMessage { cluster_name: cluster.to_owned(), authority: authority.to_owned() };
    GrpcServiceMessage { envoy_grpc: Some(target) }.encode_to_vec()
}

/// A serialised `envoy.config.core.v3.Metadata` of these filters.
pub fn encode_metadata<'m>(filters: impl IntoIterator<Item = (&'m str, &'m Struct)>) -> Vec<u8> {
    let entries =
        filters.into_iter().map(|(key, fields)| FilterMetadata { key: key.to_owned(), value: Some(message(fields)) });
    MetadataMessage { filter_metadata: entries.collect() }.encode_to_vec()
}

fn message(fields: &Struct) -> StructMessage {
    let fields = fields.0.iter().map(|(key, field)| Field { key: key.clone(), value: Some(value(field)) });
    StructMessage { fields: fields.collect() }
}

fn value(value_of: &StructValue) -> Value {
    let kind = match value_of {
        StructValue::Null => Kind::Null(0),
        StructValue::Number(number) => Kind::Number(*number),
        StructValue::Text(text) => Kind::Text(text.clone()),
        StructValue::Bool(bool) => Kind::Bool(*bool),
        StructValue::Map(fields) => Kind::Struct(message(fields)),
        StructValue::List(items) => Kind::List(ListValue { values: items.iter().map(value).collect() }),
    };
    Value { kind: Some(kind) }
}

#[cfg(test)]
mod tests;
