//! The 25 labels of Istio's HTTP metrics, and what each is for a key.

use crate::config::Side;
use crate::flags::short_flags;
use crate::key::Key;
use crate::known::{Known, Own};
use crate::peer::namespace_of;

/// How many labels there are.
pub(crate) const COUNT: usize = 25;

/// The labels in the order in which they are emitted.
pub const LABELS: [&str; COUNT] = [
    "reporter",
    "source_workload",
    "source_canonical_service",
    "source_canonical_revision",
    "source_workload_namespace",
    "source_principal",
    "source_app",
    "source_version",
    "source_cluster",
    "destination_workload",
    "destination_workload_namespace",
    "destination_principal",
    "destination_app",
    "destination_version",
    "destination_service",
    "destination_canonical_service",
    "destination_canonical_revision",
    "destination_service_name",
    "destination_service_namespace",
    "destination_cluster",
    "request_protocol",
    "response_code",
    "grpc_response_status",
    "response_flags",
    "connection_security_policy",
];

const UNKNOWN: &[u8] = b"unknown";

/// The label values that are numbers in a key, as text.
pub(crate) struct Numbers {
    code: String,
    grpc: String,
    flags: String,
}

impl Numbers {
    pub(crate) fn new(key: &Key) -> Self {
        Self {
            code: key.code.to_string(),
            grpc: key.grpc.map(|status| status.to_string()).unwrap_or_default(),
            flags: short_flags(key.flags),
        }
    }
}

/// One end of a stream.
struct End<'a> {
    workload: &'a [u8],
    service: &'a [u8],
    revision: &'a [u8],
    namespace: &'a [u8],
    principal: &'a [u8],
    app: &'a [u8],
    version: &'a [u8],
    cluster: &'a [u8],
}

/// The value of every label, in the order of [`LABELS`]. What the own side does not tell is empty; what the peer does not
/// tell is `unknown`, its revision `latest`.
pub(crate) fn values<'a>(key: &Key, known: &'a Known, own: &'a Own, numbers: &'a Numbers) -> [&'a [u8]; COUNT] {
    let peer = known.peers.value(key.peer);
    let peer_principal = known.principals.value(key.peer_principal);
    // A server that shows no certificate may be known to the control plane; a client's word is not enough.
    let peer_principal = match key.side {
        Side::Source => or(peer_principal, &peer.identity),
        Side::Destination => peer_principal,
    };
    let peer_namespace = or(namespace_of(peer_principal), or(&peer.namespace, UNKNOWN));
    let there = End {
        workload: or(&peer.workload, UNKNOWN),
        service: or(&peer.service, UNKNOWN),
        revision: or(&peer.revision, b"latest"),
        namespace: peer_namespace,
        principal: or(peer_principal, UNKNOWN),
        app: or(&peer.app, UNKNOWN),
        version: or(&peer.version, UNKNOWN),
        cluster: or(&peer.cluster, UNKNOWN),
    };
    let here = End {
        workload: &own.workload,
        service: &own.service,
        revision: &own.revision,
        namespace: &own.namespace,
        principal: or(known.principals.value(key.own_principal), UNKNOWN),
        app: &own.app,
        version: &own.version,
        cluster: &own.cluster,
    };
    let service = known.services.value(key.service);
    let (reporter, source, destination, nameless, service_namespace, policy): (&[u8], _, _, _, _, &[u8]) = match key
        .side
    {
        Side::Source => ("source".as_bytes(), here, there, UNKNOWN, or(&service.namespace, peer_namespace), UNKNOWN),
        Side::Destination => {
            let policy: &[u8] = if key.mutual_tls { b"mutual_tls" } else { b"none" };
            (b"destination", there, here, own.service.as_slice(), own.namespace.as_slice(), policy)
        }
    };
    [
        reporter,
        source.workload,
        source.service,
        source.revision,
        source.namespace,
        source.principal,
        source.app,
        source.version,
        source.cluster,
        destination.workload,
        destination.namespace,
        destination.principal,
        destination.app,
        destination.version,
        or(&service.host, nameless),
        destination.service,
        destination.revision,
        or(&service.name, nameless),
        service_namespace,
        destination.cluster,
        if key.grpc_request { b"grpc" } else { b"http" },
        numbers.code.as_bytes(),
        numbers.grpc.as_bytes(),
        numbers.flags.as_bytes(),
        policy,
    ]
}

fn or<'a>(value: &'a [u8], fallback: &'a [u8]) -> &'a [u8] {
    if value.is_empty() { fallback } else { value }
}
