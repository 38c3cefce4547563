//! Protobuf messages that Weir reads, and their way into the model's plain types.
//!
//! The messages are few, small and frozen by their publishers, so their field numbers are written here with prost's
//! derive and no code is generated. Fields that nobody reads are left out; prost skips them on the wire.

mod decode;
mod message;

pub use decode::{Metadata, decode_metadata, decode_node, decode_struct};
pub use message::{ListValue, MetadataMessage, NodeMessage, StructMessage, Value, value};
