//! Contexts of a VM: roots, one per plugin, and streams, one per plugin and stream.
//!
//! A stream context holds no header map of its own: it holds which of the stream's maps it may see at the moment. That is
//! how Envoy does it, with pointers that are set before a callback and cleared after one that says Continue.

use crate::http::headers::HeaderMap;
use crate::http::local_reply::LocalReply;
use crate::http::stream_data::StreamData;
use crate::process::event::Answer;
use crate::vm::plugin::PluginSpec;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// What a callback about a callout shows.
#[derive(Debug)]
pub(crate) enum Shown {
    Http(Answer),
    GrpcInitial(HeaderMap),
    GrpcMessage(Vec<u8>),
    GrpcTrailing(HeaderMap),
}

/// A declared type of a property.
#[derive(Clone, Debug, Default)]
pub(crate) struct Declared {
    pub(crate) readonly: bool,
}

/// A root context.
pub(crate) struct Root {
    pub(crate) plugin: Arc<PluginSpec>,
    /// Whether the plugin configuration can be read.
    pub(crate) configuring: bool,
    /// Period and next moment of the tick, in nanoseconds.
    pub(crate) tick: Option<(u64, u64)>,
    /// Status and message of the last callout.
    pub(crate) status: (u32, Vec<u8>),
    /// `on_done` said that there is more to do.
    pub(crate) done_pending: bool,
    pub(crate) shown: Option<Shown>,
    /// The buffer that was read last.
    pub(crate) last_buffer: Option<u32>,
    pub(crate) expressions: BTreeMap<u32, Rc<cel::Program>>,
    pub(crate) last_expression: u32,
    pub(crate) declared: BTreeMap<Vec<u8>, Declared>,
}

impl Root {
    pub(crate) fn new(plugin: Arc<PluginSpec>) -> Self {
        Root {
            plugin,
            configuring: false,
            tick: None,
            status: (0, Vec::new()),
            done_pending: false,
            shown: None,
            last_buffer: None,
            expressions: BTreeMap::new(),
            last_expression: 0,
            declared: BTreeMap::new(),
        }
    }
}

/// What a stream context sees of its stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sight {
    pub(crate) request_headers: bool,
    pub(crate) request_trailers: bool,
    pub(crate) response_headers: bool,
    pub(crate) response_trailers: bool,
    pub(crate) request_body: Option<Vec<u8>>,
    pub(crate) response_body: Option<Vec<u8>>,
    /// The stream is a connection: there is no request.
    pub(crate) connection: bool,
    pub(crate) downstream_data: Option<Vec<u8>>,
    pub(crate) upstream_data: Option<Vec<u8>>,
    pub(crate) end_of_stream: bool,
    /// In `on_log`: everything but request trailers is there again, for reading.
    pub(crate) log: bool,
}

/// A stream context.
pub(crate) struct Stream {
    pub(crate) root: u32,
    pub(crate) id: u64,
    /// The filter's position in the chain.
    pub(crate) position: usize,
    pub(crate) data: Rc<RefCell<StreamData>>,
    pub(crate) sight: Sight,
    /// A local reply was asked for and the present callback must stop.
    pub(crate) replied: bool,
    /// Only the callbacks about the stream's end are left.
    pub(crate) ended: bool,
    /// The buffer that was read last.
    pub(crate) last_buffer: Option<u32>,
}

/// A context.
pub(crate) enum Context {
    Root(Root),
    Stream(Stream),
}

/// What runs after the outermost call of a VM returned.
#[derive(Debug)]
pub(crate) enum Action {
    Continue { stream: u64, position: usize, response: bool },
    Close { stream: u64 },
    ContinueConnection { connection: u64, position: usize },
    CloseConnection { connection: u64 },
    Reply { stream: u64, reply: LocalReply },
    Done { root: u32 },
}
