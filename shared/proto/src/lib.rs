//! Protobuf messages that Weir reads and writes, and their way into and out of plain types.
//!
//! The messages are few, small and frozen by their publishers, so their field numbers are written here with prost's
//! derive and no code is generated. Fields that are never read are left out; prost skips them on the wire.

mod decode;
mod encode;
pub mod ext_authz;
mod json;
mod logs;
mod message;
pub mod otlp;
mod view;

pub use decode::{Metadata, decode, decode_metadata, decode_node, decode_struct, plain_struct};
pub use encode::{encode, encode_grpc_service, encode_metadata};
pub use json::to_json;
pub use logs::{LOGS_METHOD, LOGS_SERVICE, LogRecord, LogSource, Severity, decode_logs_response};
pub use message::{
    BuildVersion, EnvoyGrpcMessage, Field, FilterMetadata, GrpcServiceMessage, ListValue, MetadataMessage, NodeMessage,
    SemanticVersion, StructMessage, Value, value,
};
pub use view::{Damaged, FieldView, ListView, MetadataView, StructView, ValueView};
