//! `google.protobuf.Struct`, the parts of `envoy.config.core.v3.{Node, Metadata}` that Weir reads, and the part of
//! `GrpcService` that it writes.

/// `google.protobuf.Struct`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StructMessage {
    /// The fields of the object.
    #[prost(message, repeated, tag = "1")]
    pub fields: Vec<Field>,
}

/// An entry of [`StructMessage::fields`], which protobuf has as a map.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Field {
    /// Its name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Absent reads as null.
    #[prost(message, optional, tag = "2")]
    pub value: Option<Value>,
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
    #[prost(message, repeated, tag = "1")]
    pub filter_metadata: Vec<FilterMetadata>,
}

/// An entry of [`MetadataMessage::filter_metadata`], which protobuf has as a map.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FilterMetadata {
    /// The filter's name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Its metadata.
    #[prost(message, optional, tag = "2")]
    pub value: Option<StructMessage>,
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
    /// `user_agent_build_version`.
    #[prost(message, optional, tag = "8")]
    pub build: Option<BuildVersion>,
}

/// `envoy.config.core.v3.BuildVersion`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BuildVersion {
    /// `version`.
    #[prost(message, optional, tag = "1")]
    pub version: Option<SemanticVersion>,
    /// `metadata`; `build.label` is there in what is not a release, such as `dev`.
    #[prost(message, optional, tag = "2")]
    pub metadata: Option<StructMessage>,
}

/// `envoy.type.v3.SemanticVersion`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SemanticVersion {
    /// `major_number`.
    #[prost(uint32, tag = "1")]
    pub major: u32,
    /// `minor_number`.
    #[prost(uint32, tag = "2")]
    pub minor: u32,
    /// `patch`.
    #[prost(uint32, tag = "3")]
    pub patch: u32,
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
