//! HTTP as Envoy's codecs and connection manager treat it, apart from any filter.

pub(crate) mod codec;
pub(crate) mod date;
pub(crate) mod flags;
pub(crate) mod headers;
pub(crate) mod local_reply;
pub(crate) mod message;
pub(crate) mod path;
pub(crate) mod stream_data;
pub(crate) mod upstream;
