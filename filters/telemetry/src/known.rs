//! Who was seen: the own workload, and numbered peers, principals and services.

use crate::capture::Stream;
use crate::config::{Settings, Side, Trust};
use crate::intern::{Interner, Memo, OTHER_ID, UNKNOWN};
use crate::key::Key;
use crate::peer::{Peer, PeerState};
use crate::service::{Service, well_known};
use crate::vouched::{Identity, Vouched};
use weir_metrics::{Fold, OTHER, VALUE_BYTES};
use weir_model::{Attribute, Attributes, Direction, Facts, Node, SortedMap};

/// The own workload, from node metadata. What is missing there is empty, not `unknown`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Own {
    pub(crate) workload: Vec<u8>,
    pub(crate) namespace: Vec<u8>,
    pub(crate) service: Vec<u8>,
    pub(crate) revision: Vec<u8>,
    pub(crate) app: Vec<u8>,
    pub(crate) version: Vec<u8>,
    pub(crate) cluster: Vec<u8>,
}

impl Own {
    pub(crate) fn new(node: &Node) -> Self {
        let field = |key: &str| node.text(key).unwrap_or_default().as_bytes().to_vec();
        let label = |key: &str| node.label(key).unwrap_or_default().as_bytes().to_vec();
        Self {
            workload: field("WORKLOAD_NAME"),
            namespace: field("NAMESPACE"),
            service: label("service.istio.io/canonical-name"),
            revision: label("service.istio.io/canonical-revision"),
            app: label("app"),
            version: label("version"),
            cluster: field("CLUSTER_ID"),
        }
    }
}

/// Numbered values of all streams of a VM. How many there can be follows from the series budget.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) peers: Interner<Peer>,
    pub(crate) principals: Interner<Vec<u8>>,
    pub(crate) services: Interner<Service>,
    headers: [Memo; 2],
    states: [Memo; 2],
    /// What a filter state says, written down to be looked up. Kept for its memory.
    state: Vec<u8>,
    vouched: Vouched,
    endpoints: Memo,
    clusters: Memo,
    hosts: Memo,
    folds: SortedMap<&'static str, Fold>,
}

impl Known {
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
        // More values than rows, so that overflow rows still tell the labels they keep.
        let room = settings.series + settings.series / 4 + 16;
        let service = Service { host: other.clone(), name: other.clone(), namespace: Vec::new() };
        Self {
            peers: Interner::new(room, Peer::default(), peer),
            principals: Interner::new(room, Vec::new(), other),
            services: Interner::new(room, Service::default(), service),
            headers: Default::default(),
            states: Default::default(),
            state: Vec::new(),
            vouched: Vouched::new(settings.series),
            endpoints: Memo::default(),
            clusters: Memo::default(),
            hosts: Memo::default(),
            folds: settings.fold.iter().map(|(label, limit)| (*label, Fold::new(*limit))).collect(),
        }
    }

    /// The key of a stream that has ended.
    pub(crate) fn key(&mut self, settings: &Settings, stream: &Stream, facts: &Facts<'_>) -> Key {
        let attributes = facts.attributes;
        let side = settings.reporter.unwrap_or_else(|| Side::of(settings.direction(attributes)));
        let (peer_san, own_san) = principals(side, attributes);
        let (peer_label, own_label) = match side {
            Side::Source => ("destination_principal", "source_principal"),
            Side::Destination => ("source_principal", "destination_principal"),
        };
        let (peer_principal, own_principal) =
            (self.principal(peer_label, peer_san), self.principal(own_label, own_san));
        let identity = Identity { number: peer_principal, san: peer_san };
        let (peer, told_by_peer) = self.peer(settings, side, &identity, stream, facts);
        let client_peer = told_by_peer && !self.vouched.admit(&identity, peer, self.peers.value(peer));
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
            own_principal,
            mutual_tls: side == Side::Destination && !peer_san.is_empty() && !own_san.is_empty(),
            client_peer,
            sure_service,
        }
    }

    /// The peer's number, and whether it is what the peer says of itself: from Istio's filter state, else from a header,
    /// else from the control plane.
    fn peer(
        &mut self,
        settings: &Settings,
        side: Side,
        identity: &Identity<'_>,
        stream: &Stream,
        facts: &Facts<'_>,
    ) -> (u32, bool) {
        let attributes = facts.attributes;
        let (state, header, at) = match side {
            Side::Source => {
                let header = match settings.reads_response() {
                    true => &stream.upstream_peer,
                    false => attributes.bytes(&Attribute::UpstreamPeerMetadata).unwrap_or_default(),
                };
                (Attribute::UpstreamPeer, header, 0)
            }
            Side::Destination => (Attribute::DownstreamPeer, stream.peer.as_slice(), 1),
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
            && let Some(memo) = states.get_mut(at)
        {
            state.write(written);
            let read = || {
                let peer = state.to_peer();
                let client = !vouched.would_admit(identity, &peer);
                number(peers, folds, side, peer, client)
            };
            return (memo.get_or(written, read), true);
        }
        if trusted
            && !header.is_empty()
            && let Some(memo) = headers.get_mut(at)
        {
            let read = || match Peer::from_header(header) {
                Some(peer) => {
                    let client = !vouched.would_admit(identity, &peer);
                    number(peers, folds, side, peer, client)
                }
                None => UNKNOWN,
            };
            let id = memo.get_or(header, read);
            if id != UNKNOWN {
                return (id, true);
            }
        }
        match attributes.bytes(&Attribute::UpstreamHostMetadata) {
            Some(bytes) if side == Side::Source => {
                let read = || {
                    Peer::from_endpoint_metadata(bytes).map_or(UNKNOWN, |peer| number(peers, folds, side, peer, false))
                };
                (endpoints.get_or(bytes, read), false)
            }
            _ => (UNKNOWN, false),
        }
    }

    /// The service's number, and the number of what is left of it without a client's `Host`.
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

    fn principal(&mut self, label: &'static str, san: &[u8]) -> u32 {
        let kept = san.get(..VALUE_BYTES).unwrap_or(san);
        if kept.is_empty() {
            return UNKNOWN;
        }
        match self.folds.get_mut(label) {
            Some(fold) => self.principals.id(fold.admit(kept), false),
            _ => self.principals.id(kept, false),
        }
    }
}

/// Who the peer and this side are, each empty where it has shown no identity. Where Istio has ended the TLS connection
/// elsewhere, as for HBONE, it tells both in filter state, and then only there.
fn principals(side: Side, attributes: &Attributes) -> (&[u8], &[u8]) {
    let both = |peer: Attribute, own: Attribute| {
        (attributes.bytes(&peer).unwrap_or_default(), attributes.bytes(&own).unwrap_or_default())
    };
    match side {
        Side::Source => both(Attribute::UpstreamPeerUriSan, Attribute::UpstreamLocalUriSan),
        Side::Destination => match both(Attribute::PeerPrincipal, Attribute::LocalPrincipal) {
            (b"", b"") => both(Attribute::PeerUriSan, Attribute::LocalUriSan),
            told => told,
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
fn number(
    peers: &mut Interner<Peer>,
    folds: &mut SortedMap<&'static str, Fold>,
    side: Side,
    mut peer: Peer,
    client: bool,
) -> u32 {
    let labels = match side {
        Side::Source => FOLDED_DESTINATION,
        Side::Destination => FOLDED_SOURCE,
    };
    let Peer { workload, namespace, service, revision, app, version, cluster, identity } = &mut peer;
    let values = [workload, service, revision, app, version, cluster];
    for (label, value) in labels.into_iter().zip(values) {
        fold(folds, label, value);
    }
    namespace.truncate(VALUE_BYTES);
    identity.truncate(VALUE_BYTES);
    peers.id(&peer, client)
}

fn service_number(
    services: &mut Interner<Service>,
    folds: &mut SortedMap<&'static str, Fold>,
    mut service: Service,
    client: bool,
) -> u32 {
    fold(folds, "destination_service", &mut service.host);
    fold(folds, "destination_service_name", &mut service.name);
    service.namespace.truncate(VALUE_BYTES);
    services.id(&service, client)
}

fn fold(folds: &mut SortedMap<&'static str, Fold>, label: &'static str, value: &mut Vec<u8>) {
    value.truncate(VALUE_BYTES);
    if let Some(fold) = folds.get_mut(label).filter(|_| !value.is_empty()) {
        *value = fold.admit(value).to_vec();
    }
}

const FOLDED_SOURCE: [&str; 6] = [
    "source_workload",
    "source_canonical_service",
    "source_canonical_revision",
    "source_app",
    "source_version",
    "source_cluster",
];
const FOLDED_DESTINATION: [&str; 6] = [
    "destination_workload",
    "destination_canonical_service",
    "destination_canonical_revision",
    "destination_app",
    "destination_version",
    "destination_cluster",
];
const FOLDED_OTHER: [&str; 4] =
    ["source_principal", "destination_principal", "destination_service", "destination_service_name"];

/// The labels whose distinct values can be limited: those that name a peer, a principal or a service.
pub(crate) fn foldable() -> impl Iterator<Item = &'static str> {
    FOLDED_SOURCE.into_iter().chain(FOLDED_DESTINATION).chain(FOLDED_OTHER)
}
