//! The facts about a stream that are not headers, named as Envoy names them.
//!
//! Each attribute is a path of Envoy's attribute tree (the Envoy documentation page "Attributes"). The encoding of a
//! value is the one of proxy-wasm `get_property`: strings raw, integers 8 bytes little-endian, booleans one byte,
//! durations and timestamps `i64` nanoseconds, messages serialised.

/// How many attributes have a fixed slot; see [`Attribute::slot`].
pub const BUILTIN_ATTRIBUTES: usize = 34;

/// One attribute of a stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attribute {
    /// `source.address`: `ip:port` of the client after `X-Forwarded-For` and PROXY protocol.
    SourceAddress,
    /// `destination.address`: `ip:port` of the local (original destination) address.
    DestinationAddress,
    /// `connection.mtls`: a peer certificate was presented. Boolean.
    ConnectionMtls,
    /// `connection.uri_san_peer_certificate`: first URI SAN of the downstream peer.
    PeerUriSan,
    /// `connection.uri_san_local_certificate`: first URI SAN this proxy presented downstream.
    LocalUriSan,
    /// `connection.dns_san_peer_certificate`: first DNS SAN of the downstream peer.
    PeerDnsSan,
    /// `connection.subject_peer_certificate`: subject of the downstream peer.
    PeerSubject,
    /// `connection.requested_server_name`: SNI.
    RequestedServerName,
    /// `xds.listener_direction`: 0 unspecified, 1 inbound, 2 outbound. Integer.
    ListenerDirection,
    /// `request.protocol`: `HTTP/1.1`, `HTTP/2`, ...
    RequestProtocol,
    /// `request.total_size`: bytes of request headers, body and trailers. Integer.
    RequestTotalSize,
    /// `request.duration`: whole stream, known at its end. Nanoseconds.
    RequestDuration,
    /// `response.code`. Integer.
    ResponseCode,
    /// `response.code_details`.
    ResponseCodeDetails,
    /// `response.flags`: Envoy's bit set. Integer.
    ResponseFlags,
    /// `response.grpc_status`. Integer.
    ResponseGrpcStatus,
    /// `response.total_size`: bytes of response headers, body and trailers. Integer.
    ResponseTotalSize,
    /// `xds.cluster_name`.
    ClusterName,
    /// `xds.cluster_metadata`: serialised `envoy.config.core.v3.Metadata`, as it was at most ten seconds ago.
    ClusterMetadata,
    /// `xds.route_name`.
    RouteName,
    /// `xds.virtual_host_name`.
    VirtualHostName,
    /// `xds.upstream_host_metadata`: serialised `envoy.config.core.v3.Metadata`.
    UpstreamHostMetadata,
    /// `upstream.address`: `ip:port` of the upstream host.
    UpstreamAddress,
    /// `upstream.uri_san_peer_certificate`.
    UpstreamPeerUriSan,
    /// `upstream.uri_san_local_certificate`.
    UpstreamLocalUriSan,
    /// `request.host`: the `Host` or `:authority` header.
    RequestHost,
    /// `request.headers['content-type']`. Repeated values are joined by commas.
    RequestContentType,
    /// `response.headers['x-envoy-peer-metadata']`: how the upstream workload describes itself. Repeated values are joined
    /// by commas.
    UpstreamPeerMetadata,
    /// `filter_state['io.istio.peer_principal']`: the SPIFFE URI of the downstream peer, where Istio's HBONE listeners and
    /// waypoints have put it.
    PeerPrincipal,
    /// `filter_state['io.istio.local_principal']`: the SPIFFE URI of this side, likewise.
    LocalPrincipal,
    /// `filter_state['downstream_peer']`: how the downstream workload describes itself, as Istio's metadata exchange has
    /// stored it. A map, encoded as pairs.
    DownstreamPeer,
    /// `filter_state['upstream_peer']`: how the upstream workload describes itself, likewise.
    UpstreamPeer,
    /// `connection.id`: the number of the downstream connection, in this process the only one of it. Integer.
    ConnectionId,
    /// `metadata`: all dynamic metadata, serialised `envoy.config.core.v3.Metadata`.
    DynamicMetadata,
    /// `filter_state[NAME]` as raw bytes.
    FilterState(Box<str>),
}

impl Attribute {
    /// The attributes with a fixed slot, in slot order.
    pub const BUILTIN: [Self; BUILTIN_ATTRIBUTES] = [
        Self::SourceAddress,
        Self::DestinationAddress,
        Self::ConnectionMtls,
        Self::PeerUriSan,
        Self::LocalUriSan,
        Self::PeerDnsSan,
        Self::PeerSubject,
        Self::RequestedServerName,
        Self::ListenerDirection,
        Self::RequestProtocol,
        Self::RequestTotalSize,
        Self::RequestDuration,
        Self::ResponseCode,
        Self::ResponseCodeDetails,
        Self::ResponseFlags,
        Self::ResponseGrpcStatus,
        Self::ResponseTotalSize,
        Self::ClusterName,
        Self::ClusterMetadata,
        Self::RouteName,
        Self::VirtualHostName,
        Self::UpstreamHostMetadata,
        Self::UpstreamAddress,
        Self::UpstreamPeerUriSan,
        Self::UpstreamLocalUriSan,
        Self::DynamicMetadata,
        Self::UpstreamPeerMetadata,
        Self::RequestHost,
        Self::RequestContentType,
        Self::PeerPrincipal,
        Self::LocalPrincipal,
        Self::DownstreamPeer,
        Self::UpstreamPeer,
        Self::ConnectionId,
    ];

    /// The fixed slot of a built-in attribute; `None` for filter state, which is looked up by name.
    #[inline]
    pub fn slot(&self) -> Option<usize> {
        Some(match self {
            Self::SourceAddress => 0,
            Self::DestinationAddress => 1,
            Self::ConnectionMtls => 2,
            Self::PeerUriSan => 3,
            Self::LocalUriSan => 4,
            Self::PeerDnsSan => 5,
            Self::PeerSubject => 6,
            Self::RequestedServerName => 7,
            Self::ListenerDirection => 8,
            Self::RequestProtocol => 9,
            Self::RequestTotalSize => 10,
            Self::RequestDuration => 11,
            Self::ResponseCode => 12,
            Self::ResponseCodeDetails => 13,
            Self::ResponseFlags => 14,
            Self::ResponseGrpcStatus => 15,
            Self::ResponseTotalSize => 16,
            Self::ClusterName => 17,
            Self::ClusterMetadata => 18,
            Self::RouteName => 19,
            Self::VirtualHostName => 20,
            Self::UpstreamHostMetadata => 21,
            Self::UpstreamAddress => 22,
            Self::UpstreamPeerUriSan => 23,
            Self::UpstreamLocalUriSan => 24,
            Self::DynamicMetadata => 25,
            Self::UpstreamPeerMetadata => 26,
            Self::RequestHost => 27,
            Self::RequestContentType => 28,
            Self::PeerPrincipal => 29,
            Self::LocalPrincipal => 30,
            Self::DownstreamPeer => 31,
            Self::UpstreamPeer => 32,
            Self::ConnectionId => 33,
            Self::FilterState(_) => return None,
        })
    }

    /// The path in Envoy's attribute tree: what is before the last element, joined by dots, and the last element.
    pub fn path(&self) -> [&str; 2] {
        match self {
            Self::SourceAddress => ["source", "address"],
            Self::DestinationAddress => ["destination", "address"],
            Self::ConnectionMtls => ["connection", "mtls"],
            Self::PeerUriSan => ["connection", "uri_san_peer_certificate"],
            Self::LocalUriSan => ["connection", "uri_san_local_certificate"],
            Self::PeerDnsSan => ["connection", "dns_san_peer_certificate"],
            Self::PeerSubject => ["connection", "subject_peer_certificate"],
            Self::RequestedServerName => ["connection", "requested_server_name"],
            Self::ListenerDirection => ["xds", "listener_direction"],
            Self::RequestProtocol => ["request", "protocol"],
            Self::RequestTotalSize => ["request", "total_size"],
            Self::RequestDuration => ["request", "duration"],
            Self::ResponseCode => ["response", "code"],
            Self::ResponseCodeDetails => ["response", "code_details"],
            Self::ResponseFlags => ["response", "flags"],
            Self::ResponseGrpcStatus => ["response", "grpc_status"],
            Self::ResponseTotalSize => ["response", "total_size"],
            Self::ClusterName => ["xds", "cluster_name"],
            Self::ClusterMetadata => ["xds", "cluster_metadata"],
            Self::RouteName => ["xds", "route_name"],
            Self::VirtualHostName => ["xds", "virtual_host_name"],
            Self::UpstreamHostMetadata => ["xds", "upstream_host_metadata"],
            Self::UpstreamAddress => ["upstream", "address"],
            Self::UpstreamPeerUriSan => ["upstream", "uri_san_peer_certificate"],
            Self::UpstreamLocalUriSan => ["upstream", "uri_san_local_certificate"],
            Self::ConnectionId => ["connection", "id"],
            Self::RequestHost => ["request", "host"],
            Self::RequestContentType => ["request.headers", "content-type"],
            Self::UpstreamPeerMetadata => ["response.headers", "x-envoy-peer-metadata"],
            // A whole top-level message; the second element is empty.
            Self::DynamicMetadata => ["metadata", ""],
            Self::PeerPrincipal => ["filter_state", "io.istio.peer_principal"],
            Self::LocalPrincipal => ["filter_state", "io.istio.local_principal"],
            Self::DownstreamPeer => ["filter_state", "downstream_peer"],
            Self::UpstreamPeer => ["filter_state", "upstream_peer"],
            Self::FilterState(name) => ["filter_state", name],
        }
    }

    /// Whether the last element is a key of a map, not a field's name.
    pub fn is_keyed(&self) -> bool {
        let [map, _] = self.path();
        matches!(map, "filter_state" | "request.headers" | "response.headers")
    }

    /// Whether the value is a boolean (one byte, 0 or 1).
    pub fn is_bool(&self) -> bool {
        matches!(self, Self::ConnectionMtls)
    }
}
