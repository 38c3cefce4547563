//! OTLP logs: what Weir writes of `opentelemetry.proto.collector.logs.v1`, and what it reads of the answer.
//!
//! Records are written one by one into a buffer that waits to be sent, so they are encoded by hand from borrowed parts. The
//! parts of a request that are the same in each are encoded once ([`LogSource`]).

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

/// The service that takes logs.
pub const LOGS_SERVICE: &str = "opentelemetry.proto.collector.logs.v1.LogsService";
/// Its method: the request is [`LogSource::request`]'s, the answer is read by [`decode_logs_response`].
pub const LOGS_METHOD: &str = "Export";

/// How severe a record is, by OTLP's `SeverityNumber`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// `SEVERITY_NUMBER_INFO`.
    Info,
    /// `SEVERITY_NUMBER_WARN`.
    Warn,
}

impl Severity {
    fn number(self) -> u64 {
        match self {
            Self::Info => 9,
            Self::Warn => 13,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
        }
    }
}

/// `opentelemetry.proto.logs.v1.LogRecord`.
#[derive(Clone, Copy, Debug)]
pub struct LogRecord<'r> {
    /// When it happened, in nanoseconds since the epoch. It is observed then, too.
    pub time_nanos: u64,
    /// How severe it is.
    pub severity: Severity,
    /// Which kind of event this is.
    pub event_name: &'r str,
    /// The body.
    pub body: &'r str,
    /// Attributes whose values are strings.
    pub attributes: &'r [(&'r str, &'r str)],
    /// The trace that it belongs to.
    pub trace_id: Option<[u8; 16]>,
}

impl LogRecord<'_> {
    /// Appends the record to `records`, which [`LogSource::request`] takes. `scratch` is overwritten.
    #[inline(never)]
    pub fn append_to(&self, records: &mut Vec<u8>, scratch: &mut Vec<u8>) {
        let Self { time_nanos, severity, event_name, body, attributes, trace_id } = self;
        scratch.clear();
        fixed(1, *time_nanos, scratch);
        encode_key(2, WireType::Varint, scratch);
        encode_varint(severity.number(), scratch);
        bytes(3, severity.text().as_bytes(), scratch);
        string_value(5, body, scratch);
        for (key, value) in *attributes {
            attribute(6, key, value, scratch);
        }
        if let Some(id) = trace_id {
            bytes(9, id, scratch);
        }
        fixed(11, *time_nanos, scratch);
        bytes(12, event_name.as_bytes(), scratch);
        bytes(2, scratch, records);
    }
}

/// Who sends records: the parts of every request that do not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSource {
    /// `ResourceLogs.resource` with its key.
    resource: Box<[u8]>,
    /// `ScopeLogs.scope` with its key.
    scope: Box<[u8]>,
}

impl LogSource {
    /// A source with these attributes of its resource, and the name and version of its scope.
    #[must_use]
    pub fn new(resource: &[(&str, &str)], scope: &str, version: &str) -> Self {
        let mut written = Vec::new();
        for (key, value) in resource {
            attribute(1, key, value, &mut written);
        }
        let whole = |inner: &[u8]| {
            let mut whole = Vec::new();
            bytes(1, inner, &mut whole);
            whole.into()
        };
        let resource = whole(&written);
        written.clear();
        bytes(1, scope.as_bytes(), &mut written);
        bytes(2, version.as_bytes(), &mut written);
        Self { resource, scope: whole(&written) }
    }

    /// An `ExportLogsServiceRequest` with records that [`LogRecord::append_to`] wrote.
    #[must_use]
    #[inline(never)]
    pub fn request(&self, records: &[u8]) -> Vec<u8> {
        let Self { resource, scope } = self;
        let scope_logs = scope.len() + records.len();
        let resource_logs = resource.len() + field_len(2, scope_logs);
        let mut request = Vec::with_capacity(field_len(1, resource_logs));
        begin(1, resource_logs, &mut request);
        request.extend_from_slice(resource);
        begin(2, scope_logs, &mut request);
        request.extend_from_slice(scope);
        request.extend_from_slice(records);
        request
    }
}

/// `opentelemetry.proto.collector.logs.v1.ExportLogsServiceResponse`.
#[derive(Clone, PartialEq, prost::Message)]
struct LogsResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

/// `ExportLogsPartialSuccess`.
#[derive(Clone, PartialEq, prost::Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
}

/// Reads an `ExportLogsServiceResponse`: how many records of the request the service did not take. `None` if it is none.
#[must_use]
pub fn decode_logs_response(bytes: &[u8]) -> Option<u64> {
    let LogsResponse { partial_success } = LogsResponse::decode(bytes).ok()?;
    u64::try_from(partial_success.unwrap_or_default().rejected).ok()
}

fn fixed(tag: u32, value: u64, out: &mut Vec<u8>) {
    encode_key(tag, WireType::SixtyFourBit, out);
    out.extend_from_slice(&value.to_le_bytes());
}

/// The key and the length of a field that has one.
fn begin(tag: u32, length: usize, out: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(length as u64, out);
}

fn bytes(tag: u32, value: &[u8], out: &mut Vec<u8>) {
    begin(tag, value.len(), out);
    out.extend_from_slice(value);
}

/// The length of a field whose content has that length.
fn field_len(tag: u32, length: usize) -> usize {
    key_len(tag) + encoded_len_varint(length as u64) + length
}

/// An `AnyValue` that is a string.
fn string_value(tag: u32, value: &str, out: &mut Vec<u8>) {
    begin(tag, field_len(1, value.len()), out);
    bytes(1, value.as_bytes(), out);
}

/// A `KeyValue` whose value is a string.
fn attribute(tag: u32, key: &str, value: &str, out: &mut Vec<u8>) {
    begin(tag, field_len(1, key.len()) + field_len(2, field_len(1, value.len())), out);
    bytes(1, key.as_bytes(), out);
    string_value(2, value, out);
}

#[cfg(test)]
mod tests;
