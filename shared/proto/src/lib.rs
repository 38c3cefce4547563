//! Protobuf messages Weir reads and writes.
