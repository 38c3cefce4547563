//! `google.protobuf.Struct`, the parts of `envoy.config.core.v3.{Node, Metadata}` that Weir reads, and the part of
//! `GrpcService` that it writes.

use std::collections::BTreeMap;

/// `google.protobuf.Struct`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StructMessage {
    /// The fields of the object.
    #[prost(btree_map = "string, message", tag = "1")]
    pub fields: BTreeMap<String, Value>,
}

/// `google.protobuf.Value`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Value {
    /// What it is; absent reads as null.
    #[prost(oneof = "value::Kind", tags = "1, 2, 3, 4, 5, 6")]
    pub kind: Option<value::Kind>,
}

/// The alternatives of [`Value`].
pub mod value {
    /// `google.protobuf.Value.kind`.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Kind {
        /// `null_value`; the only enum value is 0.
        #[prost(int32, tag = "1")]
        Null(i32),
        /// `number_value`.
        #[prost(double, tag = "2")]
        Number(f64),
        /// `string_value`.
        #[prost(string, tag = "3")]
        Text(String),
        /// `bool_value`.
        #[prost(bool, tag = "4")]
        Bool(bool),
        /// `struct_value`.
        #[prost(message, tag = "5")]
        Struct(super::StructMessage),
        /// `list_value`.
        #[prost(message, tag = "6")]
        List(super::ListValue),
    }
}

/// `google.protobuf.ListValue`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ListValue {
    /// The items.
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<Value>,
}

/// `envoy.config.core.v3.Metadata`, without its typed part.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MetadataMessage {
    /// Metadata by filter name.
    #[prost(btree_map = "string, message", tag = "1")]
    pub filter_metadata: BTreeMap<String, StructMessage>,
}

/// `envoy.config.core.v3.Node`: who the proxy is.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NodeMessage {
    /// `id`.
    #[prost(string, tag = "1")]
    pub id: String,
    /// `cluster`.
    #[prost(string, tag = "2")]
    pub cluster: String,
    /// `metadata`.
    #[prost(message, optional, tag = "3")]
    pub metadata: Option<StructMessage>,
}

/// `envoy.config.core.v3.GrpcService`, with the one kind of target that Weir writes.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GrpcServiceMessage {
    /// `envoy_grpc`.
    #[prost(message, optional, tag = "1")]
    pub envoy_grpc: Option<EnvoyGrpcMessage>,
}

/// `envoy.config.core.v3.GrpcService.EnvoyGrpc`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EnvoyGrpcMessage {
    /// `cluster_name`.
    #[prost(string, tag = "1")]
    pub cluster_name: String,
    /// `authority`.
    #[prost(string, tag = "2")]
    pub authority: String,
}
