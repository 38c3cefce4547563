//! What a stream is made of and what Envoy's `StreamInfo` knows of it.

use crate::http::headers::HeaderMap;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// How the client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Http {
    /// HTTP/1.0
    V10,
    /// HTTP/1.1
    #[default]
    V11,
    /// HTTP/2
    V2,
}

impl Http {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Http::V10 => "HTTP/1.0",
            Http::V11 => "HTTP/1.1",
            Http::V2 => "HTTP/2",
        }
    }
}

/// What is known of a TLS connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsInfo {
    /// Whether the peer presented a certificate.
    pub peer_presented: bool,
    /// URI SANs of the peer.
    pub peer_uri_sans: Vec<String>,
    /// DNS SANs of the peer.
    pub peer_dns_sans: Vec<String>,
    /// Subject of the peer.
    pub peer_subject: String,
    /// URI SANs that this proxy presented.
    pub local_uri_sans: Vec<String>,
    /// Server name that the client asked for.
    pub sni: String,
    /// E.g. `TLSv1.3`.
    pub version: String,
}

/// A downstream connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// `ip:port` of the direct peer.
    pub source: String,
    /// `ip:port` of the local address.
    pub destination: String,
    /// `None` for plain text.
    pub tls: Option<TlsInfo>,
}

impl Default for Connection {
    fn default() -> Self {
        Connection { source: "127.0.0.1:40000".to_owned(), destination: "127.0.0.1:10000".to_owned(), tls: None }
    }
}

/// The upstream that a stream went to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Upstream {
    pub(crate) address: String,
    pub(crate) metadata: Map<String, Value>,
}

/// A stream.
#[derive(Debug, Default)]
pub(crate) struct StreamData {
    pub(crate) http: Http,
    pub(crate) connection: Connection,
    pub(crate) connection_id: u64,
    /// The client's address after `x-forwarded-for`.
    pub(crate) remote: String,
    pub(crate) request_headers: Option<HeaderMap>,
    pub(crate) request_trailers: Option<HeaderMap>,
    pub(crate) response_headers: Option<HeaderMap>,
    pub(crate) response_trailers: Option<HeaderMap>,
    /// Body bytes received and sent so far.
    pub(crate) received: u64,
    pub(crate) sent: u64,
    /// Wall clock and monotonic clock at the start.
    pub(crate) started: (u64, u64),
    /// Monotonic clock at the end of the stream.
    pub(crate) completed: Option<u64>,
    pub(crate) code: Option<u16>,
    pub(crate) details: Option<Vec<u8>>,
    pub(crate) flags: Vec<&'static str>,
    /// Route name and cluster; `None` while not asked for, or where there is no route.
    pub(crate) route: Option<Routed>,
    /// Whether the route has to be looked up again.
    pub(crate) route_stale: bool,
    pub(crate) upstream: Option<Upstream>,
    pub(crate) filter_state: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Filter state that cannot be written again.
    pub(crate) readonly: std::collections::BTreeSet<Vec<u8>>,
    pub(crate) dynamic_metadata: Map<String, Value>,
    /// Response headers went out.
    pub(crate) response_sent: bool,
}

/// Where the route leads.
#[derive(Clone, Debug)]
pub(crate) struct Routed {
    pub(crate) name: String,
    /// How often a request may be sent on inside the proxy.
    pub(crate) redirects: u32,
    pub(crate) cluster: Option<String>,
    pub(crate) direct: Option<(u16, Vec<u8>)>,
}
