//! OTLP logs as a collector reads them (`opentelemetry.proto.logs.v1`). The filters write them with [`crate::LogRecord`] and read
//! none, so what reads these messages shows that what was written is right.

/// `ExportLogsServiceRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Request {
    /// Logs by resource.
    #[prost(message, repeated, tag = "1")]
    pub resource_logs: Vec<ResourceLogs>,
}

/// `ResourceLogs`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ResourceLogs {
    /// Who they are from.
    #[prost(message, optional, tag = "1")]
    pub resource: Option<Resource>,
    /// Logs by scope.
    #[prost(message, repeated, tag = "2")]
    pub scope_logs: Vec<ScopeLogs>,
}

/// `opentelemetry.proto.resource.v1.Resource`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Resource {
    /// What it is.
    #[prost(message, repeated, tag = "1")]
    pub attributes: Vec<KeyValue>,
}

/// `ScopeLogs`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ScopeLogs {
    /// What made them.
    #[prost(message, optional, tag = "1")]
    pub scope: Option<Scope>,
    /// The records.
    #[prost(message, repeated, tag = "2")]
    pub log_records: Vec<Record>,
}

/// `opentelemetry.proto.common.v1.InstrumentationScope`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Scope {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its version.
    #[prost(string, tag = "2")]
    pub version: String,
}

/// `LogRecord`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Record {
    /// `time_unix_nano`.
    #[prost(fixed64, tag = "1")]
    pub time: u64,
    /// `severity_number`.
    #[prost(int32, tag = "2")]
    pub severity: i32,
    /// `severity_text`.
    #[prost(string, tag = "3")]
    pub severity_text: String,
    /// `body`.
    #[prost(message, optional, tag = "5")]
    pub body: Option<AnyValue>,
    /// `attributes`.
    #[prost(message, repeated, tag = "6")]
    pub attributes: Vec<KeyValue>,
    /// `trace_id`: 16 bytes or none.
    #[prost(bytes = "vec", tag = "9")]
    pub trace_id: Vec<u8>,
    /// `observed_time_unix_nano`.
    #[prost(fixed64, tag = "11")]
    pub observed: u64,
    /// `event_name`.
    #[prost(string, tag = "12")]
    pub event_name: String,
}

/// `opentelemetry.proto.common.v1.KeyValue`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyValue {
    /// Its name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Its value.
    #[prost(message, optional, tag = "2")]
    pub value: Option<AnyValue>,
}

/// `opentelemetry.proto.common.v1.AnyValue`, where it is a string.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AnyValue {
    /// `string_value`.
    #[prost(string, optional, tag = "1")]
    pub string: Option<String>,
}

/// Reads a serialised `ExportLogsServiceRequest`.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<Request> {
    prost::Message::decode(bytes).ok()
}
