//! How the proxy is set up, apart from its plugins.

use std::time::Duration;
use weir_scenario::{Proxy, Surroundings};

/// What the server does that connections of network filters go to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TcpServer {
    /// It sends back what it gets, and closes after data that ends with `bye`, or when the client has.
    #[default]
    Echo,
    /// The same, and it speaks first.
    Greets,
    /// It refuses every connection.
    Refuses,
}

/// Listener, connection manager, routes and clusters, and what differs between Envoy lines.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The `proxy` of a scenario: node, direction, path rules and more; `workers` is the number of worker threads.
    pub proxy: Proxy,
    /// Routes and clusters.
    pub surroundings: Surroundings,
    /// Most header fields of a request.
    pub max_headers: usize,
    /// `per_connection_buffer_limit_bytes`: the most of a body that a filter may hold back, for a client of HTTP/1.
    pub buffer_limit: usize,
    /// The same for a client of HTTP/2: its `initial_stream_window_size`.
    pub http2_buffer_limit: usize,
    /// Level of the `wasm` logger: 0 trace to 5 critical.
    pub log_level: u32,
    /// Back-off before a dead VM with `FAIL_RELOAD` is replaced.
    pub reload_backoff: Duration,
    /// `set_envoy_filter_state` and `clear_route_cache` act on the effective context (Envoy from 1.37); on the context in
    /// the callback otherwise.
    pub foreign_effective: bool,
    /// What the server does that connections of network filters go to.
    pub tcp_server: TcpServer,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            proxy: Proxy::default(),
            surroundings: Surroundings::default(),
            max_headers: 100,
            buffer_limit: 1 << 20,
            http2_buffer_limit: 16 << 20,
            log_level: 2,
            reload_backoff: Duration::from_secs(1),
            foreign_effective: true,
            tcp_server: TcpServer::default(),
        }
    }
}
