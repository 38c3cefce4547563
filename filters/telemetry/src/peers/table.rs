//! The table of peers, principals and services that streams had, each by its number, and the keys made of these numbers.

use super::capture::Stream;
use super::folds::Folds;
use super::peer::Peer;
use super::service::{Service, well_known};
use super::state::PeerState;
use super::vouched::{Identity, Vouched};
use crate::config::side::{PerSide, Side};
use crate::config::{Settings, Trust};
use crate::labels::cache::Cache;
use crate::labels::interner::{Interner, OTHER_ID, UNKNOWN};
use crate::labels::key::Key;
use crate::labels::names::EndLabels;
use weir_metrics::{OTHER, VALUE_BYTES};
use weir_model::{Attribute, Attributes, Direction, Facts};

/// The table of one VM. How many values there can be follows from the series budget.
#[derive(Debug)]
pub(crate) struct PeerTable {
    pub(crate) peers: Interner<Peer>,
    pub(crate) principals: Interner<Vec<u8>>,
    pub(crate) services: Interner<Service>,
    /// Peers by the header in which they describe themselves.
    headers: PerSide<Cache>,
    /// Peers by the filter state of Istio's metadata exchange.
    states: PerSide<Cache>,
    /// What a filter state says, written down to be looked up. Kept for its memory.
    state: Vec<u8>,
    vouched: Vouched,
    /// Peers by the metadata of their endpoint.
    endpoints: Cache,
    /// Services by the metadata of their cluster.
    clusters: Cache,
    /// Services by the `Host` header.
    hosts: Cache,
    folds: Folds,
}

impl PeerTable {
    #[inline(never)]
    pub(crate) fn new(settings: &Settings) -> Self {
        let other = OTHER.as_bytes().to_vec();
        let peer = Peer {
            workload: other.clone(),
            namespace: other.clone(),
            service: other.clone(),
            revision: other.clone(),
            app: other.clone(),
            version: other.clone(),
            cluster: other.clone(),
            identity: Vec::new(),
        };
        // More values than rows, so that overflow rows still have the values of the labels they keep.
        let series = settings.cardinality.series;
        let room = series + series / 4 + 16;
        let service = Service { host: other.clone(), name: other.clone(), namespace: Vec::new() };
        Self {
            peers: Interner::new(room, Peer::default(), peer),
            principals: Interner::new(room, Vec::new(), other),
            services: Interner::new(room, Service::default(), service),
            headers: Default::default(),
            states: Default::default(),
            state: Vec::new(),
            vouched: Vouched::new(series),
            endpoints: Cache::default(),
            clusters: Cache::default(),
            hosts: Cache::default(),
            folds: Folds::new(&settings.cardinality),
        }
    }

    /// The key of a stream that has ended.
    pub(crate) fn key(&mut self, settings: &Settings, stream: &Stream, facts: &Facts<'_>) -> Key {
        let attributes = facts.attributes;
        let side = settings.reporter.unwrap_or_else(|| Side::of(settings.direction(attributes)));
        let (peer_san, local_san) = principals(side, attributes);
        let peer_principal = self.principal(EndLabels::of_peer(side), peer_san);
        let local_principal = self.principal(EndLabels::of_local(side), local_san);
        let identity = Identity { number: peer_principal, san: peer_san };
        let (peer, described_by_peer) = self.peer(settings, side, &identity, stream, facts);
        let client_peer = described_by_peer && !self.vouched.admit(&identity, peer, self.peers.value(peer));
        let (service, sure_service) = self.service(settings, side, attributes);
        let code = attributes.int(&Attribute::ResponseCode).unwrap_or_default();
        let grpc = attributes.bytes(&Attribute::RequestContentType).is_some_and(is_grpc);
        Key {
            side,
            peer,
            service,
            code: u16::try_from(code).unwrap_or_default(),
            grpc_request: grpc,
            grpc: attributes.int(&Attribute::ResponseGrpcStatus).filter(|_| grpc),
            flags: attributes.int(&Attribute::ResponseFlags).map(i64::cast_unsigned).unwrap_or_default(),
            peer_principal,
            local_principal,
            mutual_tls: side == Side::Destination && !peer_san.is_empty() && !local_san.is_empty(),
            client_peer,
            sure_service,
        }
    }

    /// The peer's number, and whether it is what the peer says of itself: from Istio's filter state, else from a header,
    /// else from the control plane.
    #[inline(never)]
    fn peer(
        &mut self,
        settings: &Settings,
        side: Side,
        identity: &Identity<'_>,
        stream: &Stream,
        facts: &Facts<'_>,
    ) -> (u32, bool) {
        let attributes = facts.attributes;
        let (state, header) = match side {
            Side::Source => {
                let header = match settings.reads_response() {
                    true => &stream.upstream_peer,
                    false => attributes.bytes(&Attribute::UpstreamPeerMetadata).unwrap_or_default(),
                };
                (Attribute::UpstreamPeer, header)
            }
            Side::Destination => (Attribute::DownstreamPeer, stream.peer.as_slice()),
        };
        // What the downstream connection is says nothing about the upstream peer.
        let mtls = side == Side::Destination && attributes.bool(&Attribute::ConnectionMtls) == Some(true);
        let trusted = match settings.trust {
            Trust::Mtls => mtls || !identity.san.is_empty(),
            Trust::Always => true,
            Trust::Never => false,
        };
        let Self { peers, headers, states, state: written, vouched, endpoints, folds, .. } = self;
        if settings.exchanges(side)
            && let Some(state) = attributes.bytes(&state).and_then(PeerState::read)
        {
            state.write(written);
            let read = || {
                let peer = state.to_peer();
                let client = !vouched.would_admit(identity, &peer);
                peer_number(peers, folds, side, peer, client)
            };
            return (states.get_mut(side).get_or(written, read), true);
        }
        if trusted && !header.is_empty() {
            let read = || match Peer::from_header(header) {
                Some(peer) => {
                    let client = !vouched.would_admit(identity, &peer);
                    peer_number(peers, folds, side, peer, client)
                }
                None => UNKNOWN,
            };
            let id = headers.get_mut(side).get_or(header, read);
            if id != UNKNOWN {
                return (id, true);
            }
        }
        match attributes.bytes(&Attribute::UpstreamHostMetadata) {
            Some(bytes) if side == Side::Source => {
                let read = || {
                    Peer::from_endpoint_metadata(bytes)
                        .map_or(UNKNOWN, |peer| peer_number(peers, folds, side, peer, false))
                };
                (endpoints.get_or(bytes, read), false)
            }
            _ => (UNKNOWN, false),
        }
    }

    /// The service's number, and the number of what is left of it without a client's `Host`.
    #[inline(never)]
    fn service(&mut self, settings: &Settings, side: Side, attributes: &Attributes) -> (u32, u32) {
        let Self { services, clusters, hosts, folds, .. } = self;
        let outbound = settings.direction(attributes) == Direction::Outbound;
        let host = match outbound && settings.host_names(side) {
            true => attributes.bytes(&Attribute::RequestHost).unwrap_or_default(),
            false => b"",
        };
        let host = host.get(..VALUE_BYTES).unwrap_or(host);
        let special = well_known(attributes.bytes(&Attribute::RouteName), attributes.bytes(&Attribute::ClusterName));
        if let Some(name) = special {
            let named = |host: &[u8]| Service { name: name.to_vec(), ..Service::from_host(host) };
            let sure_host = if host.is_empty() { b"".as_slice() } else { OTHER.as_bytes() };
            let sure = service_number(services, folds, named(sure_host), false);
            let id = match host.is_empty() {
                true => sure,
                false => service_number(services, folds, named(host), true),
            };
            return (if id == OTHER_ID { sure } else { id }, sure);
        }
        if let Some(bytes) = attributes.bytes(&Attribute::ClusterMetadata) {
            let read = || match Service::from_cluster_metadata(bytes) {
                Some(service) => service_number(services, folds, service, false),
                None => UNKNOWN,
            };
            let id = clusters.get_or(bytes, read);
            if id != UNKNOWN {
                return (id, id);
            }
        }
        if host.is_empty() {
            return (UNKNOWN, UNKNOWN);
        }
        (hosts.get_or(host, || service_number(services, folds, Service::from_host(host), true)), OTHER_ID)
    }

    fn principal(&mut self, end: EndLabels, san: &[u8]) -> u32 {
        let kept = san.get(..VALUE_BYTES).unwrap_or(san);
        if kept.is_empty() {
            return UNKNOWN;
        }
        self.principals.id(self.folds.principal(end.principal, kept), false)
    }
}

/// The principals of the peer and of the local workload, each empty where it has shown no identity. Where Istio has ended
/// the TLS connection elsewhere, as for HBONE, both are in filter state, and then only there.
fn principals(side: Side, attributes: &Attributes) -> (&[u8], &[u8]) {
    let both = |peer: Attribute, local: Attribute| {
        (attributes.bytes(&peer).unwrap_or_default(), attributes.bytes(&local).unwrap_or_default())
    };
    match side {
        Side::Source => both(Attribute::UpstreamPeerUriSan, Attribute::UpstreamLocalUriSan),
        Side::Destination => match both(Attribute::PeerPrincipal, Attribute::LocalPrincipal) {
            (b"", b"") => both(Attribute::PeerUriSan, Attribute::LocalUriSan),
            in_filter_state => in_filter_state,
        },
    }
}

/// `application/grpc`, alone or followed by a message format or parameters; gRPC-Web is not gRPC.
fn is_grpc(content_type: &[u8]) -> bool {
    match content_type.strip_prefix(b"application/grpc") {
        Some(rest) => matches!(rest.first(), None | Some(b'+' | b';')),
        None => false,
    }
}

/// Numbers a peer after folding its labels.
#[inline(never)]
fn peer_number(peers: &mut Interner<Peer>, folds: &mut Folds, side: Side, mut peer: Peer, client: bool) -> u32 {
    folds.peer(side, &mut peer);
    peers.id(&peer, client)
}

/// Numbers a service after folding its labels.
#[inline(never)]
fn service_number(services: &mut Interner<Service>, folds: &mut Folds, mut service: Service, client: bool) -> u32 {
    folds.service(&mut service);
    services.id(&service, client)
}
