//! A request as it comes in, and a response as it goes out.

use crate::http::headers::HeaderMap;
use crate::http::stream_data::{Connection, Http};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use weir_scenario::{Bytes, Fields};

/// A request as a codec hands it over.
#[derive(Clone, Debug, Default)]
pub struct Incoming {
    /// Headers with `:method`, `:path`, `:authority` (absent where the client sent no host).
    pub headers: HeaderMap,
    /// Body.
    pub body: Vec<u8>,
    /// Trailers.
    pub trailers: Option<HeaderMap>,
    /// The client sends no more than this, and does not end the request.
    pub unfinished: bool,
    /// Protocol.
    pub http: Http,
    /// The connection it comes on.
    pub connection: Connection,
    /// Filter state that other filters have set.
    pub filter_state: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Dynamic metadata that other filters have set.
    pub dynamic_metadata: Map<String, Value>,
}

impl Incoming {
    /// A GET of a path from `example.com`.
    #[must_use]
    pub fn get(path: &str) -> Self {
        let headers = [(":method", "GET"), (":path", path), (":authority", "example.com")];
        Incoming { headers: HeaderMap::new(headers), ..Incoming::default() }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.add(name.as_bytes(), value.as_bytes());
        self
    }
}

/// What a client gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Downstream {
    /// Status; `None` where the stream was reset before any header.
    pub status: Option<u16>,
    /// Headers.
    pub headers: Fields,
    /// Body.
    pub body: Bytes,
    /// Trailers.
    pub trailers: Fields,
    /// Whether it broke off.
    pub broken: bool,
}
