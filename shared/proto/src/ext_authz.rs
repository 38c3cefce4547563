//! `envoy.service.auth.v3`: what an ext_authz server is asked, and what it answers, as far as Weir writes and reads it.

use crate::StructMessage;

/// `CheckRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CheckRequest {
    /// `attributes`.
    #[prost(message, optional, tag = "1")]
    pub attributes: Option<AttributeContext>,
}

/// `AttributeContext`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AttributeContext {
    /// `source`.
    #[prost(message, optional, tag = "1")]
    pub source: Option<Peer>,
    /// `destination`.
    #[prost(message, optional, tag = "2")]
    pub destination: Option<Peer>,
    /// `request`.
    #[prost(message, optional, tag = "4")]
    pub request: Option<CheckedRequest>,
    /// `metadata_context`: there, and empty.
    #[prost(message, optional, tag = "11")]
    pub metadata_context: Option<EmptyMessage>,
    /// `route_metadata_context`: there, and empty.
    #[prost(message, optional, tag = "13")]
    pub route_metadata_context: Option<EmptyMessage>,
}

/// A message without the fields that nothing here has.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EmptyMessage {}

/// `AttributeContext.Peer`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Peer {
    /// `address`.
    #[prost(message, optional, tag = "1")]
    pub address: Option<Address>,
    /// `service`.
    #[prost(string, tag = "2")]
    pub service: String,
    /// `principal`.
    #[prost(string, tag = "4")]
    pub principal: String,
}

/// `envoy.config.core.v3.Address` of a socket.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Address {
    /// `socket_address`.
    #[prost(message, optional, tag = "1")]
    pub socket_address: Option<SocketAddress>,
}

/// `envoy.config.core.v3.SocketAddress`, of TCP.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SocketAddress {
    /// `address`.
    #[prost(string, tag = "2")]
    pub address: String,
    /// `port_value`.
    #[prost(uint32, optional, tag = "3")]
    pub port: Option<u32>,
}

/// `AttributeContext.Request`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CheckedRequest {
    /// `time`.
    #[prost(message, optional, tag = "1")]
    pub time: Option<Timestamp>,
    /// `http`.
    #[prost(message, optional, tag = "2")]
    pub http: Option<HttpRequest>,
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Timestamp {
    /// `seconds`.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// `nanos`.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// `AttributeContext.HttpRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HttpRequest {
    /// `id`.
    #[prost(string, tag = "1")]
    pub id: String,
    /// `method`.
    #[prost(string, tag = "2")]
    pub method: String,
    /// `headers`, which protobuf has as a map.
    #[prost(message, repeated, tag = "3")]
    pub headers: Vec<NameValue>,
    /// `path`, with its query.
    #[prost(string, tag = "4")]
    pub path: String,
    /// `host`.
    #[prost(string, tag = "5")]
    pub host: String,
    /// `scheme`.
    #[prost(string, tag = "6")]
    pub scheme: String,
    /// `protocol`, such as `HTTP/1.1`.
    #[prost(string, tag = "10")]
    pub protocol: String,
}

/// A name with a value: an entry of [`HttpRequest::headers`], a `HeaderValue`, or a `QueryParameter`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct NameValue {
    /// `key`.
    #[prost(string, tag = "1")]
    pub key: String,
    /// `value`.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// `CheckResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CheckResponse {
    /// `status`.
    #[prost(message, optional, tag = "1")]
    pub status: Option<RpcStatus>,
    /// `denied_response`.
    #[prost(message, optional, tag = "2")]
    pub denied: Option<DeniedResponse>,
    /// `ok_response`.
    #[prost(message, optional, tag = "3")]
    pub ok: Option<OkResponse>,
    /// `dynamic_metadata`.
    #[prost(message, optional, tag = "4")]
    pub dynamic_metadata: Option<StructMessage>,
    /// `error_response`.
    #[prost(message, optional, tag = "5")]
    pub error: Option<DeniedResponse>,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RpcStatus {
    /// `code`: 0 allows the request.
    #[prost(int32, tag = "1")]
    pub code: i32,
}

/// `DeniedHttpResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DeniedResponse {
    /// `status`.
    #[prost(message, optional, tag = "1")]
    pub status: Option<HttpStatus>,
    /// `headers`.
    #[prost(message, repeated, tag = "2")]
    pub headers: Vec<HeaderOption>,
    /// `body`.
    #[prost(string, tag = "3")]
    pub body: String,
}

/// `envoy.type.v3.HttpStatus`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HttpStatus {
    /// `code`.
    #[prost(int32, tag = "1")]
    pub code: i32,
}

/// `OkHttpResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OkResponse {
    /// `headers`.
    #[prost(message, repeated, tag = "2")]
    pub headers: Vec<HeaderOption>,
    /// `dynamic_metadata`, which came before that of the answer itself, and wins where it is there.
    #[prost(message, optional, tag = "3")]
    pub dynamic_metadata: Option<StructMessage>,
    /// `headers_to_remove`.
    #[prost(string, repeated, tag = "5")]
    pub headers_to_remove: Vec<String>,
    /// `response_headers_to_add`.
    #[prost(message, repeated, tag = "6")]
    pub response_headers: Vec<HeaderOption>,
    /// `query_parameters_to_set`.
    #[prost(message, repeated, tag = "7")]
    pub query_to_set: Vec<NameValue>,
    /// `query_parameters_to_remove`.
    #[prost(string, repeated, tag = "8")]
    pub query_to_remove: Vec<String>,
}

/// `envoy.config.core.v3.HeaderValueOption`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HeaderOption {
    /// `header`.
    #[prost(message, optional, tag = "1")]
    pub header: Option<NameValue>,
    /// `append`.
    #[prost(message, optional, tag = "2")]
    pub append: Option<BoolValue>,
    /// `append_action`: 0 `APPEND_IF_EXISTS_OR_ADD`, 1 `ADD_IF_ABSENT`, 2 `OVERWRITE_IF_EXISTS_OR_ADD`,
    /// 3 `OVERWRITE_IF_EXISTS`.
    #[prost(int32, tag = "3")]
    pub append_action: i32,
}

/// `google.protobuf.BoolValue`.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct BoolValue {
    /// `value`.
    #[prost(bool, tag = "1")]
    pub value: bool,
}
