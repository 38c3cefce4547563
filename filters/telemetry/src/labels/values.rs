//! The labels of Istio's HTTP metrics, spelled out for a key.

use super::flags::short_flags;
use super::key::Key;
use super::names::COUNT;
use crate::config::side::Side;
use crate::peers::local::LocalWorkload;
use crate::peers::peer::namespace_of;
use crate::peers::table::PeerTable;

const UNKNOWN: &[u8] = b"unknown";

/// A label and its value.
pub(crate) type Label<'a> = (&'static str, &'a [u8]);

/// Where the values behind a key's numbers are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a> {
    pub(crate) peers: &'a PeerTable,
    pub(crate) local: &'a LocalWorkload,
}

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

/// Every label with its value, in the order in which they are emitted. What the local workload lacks is empty; what the
/// peer lacks is `unknown`, its revision `latest`.
#[inline(never)]
pub(crate) fn labels<'a>(key: &Key, names: Names<'a>, numbers: &'a Numbers) -> [Label<'a>; COUNT] {
    let Names { peers, local } = names;
    let peer = peers.peers.value(key.peer);
    let peer_principal = peers.principals.value(key.peer_principal);
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
        workload: &local.workload,
        service: &local.service,
        revision: &local.revision,
        namespace: &local.namespace,
        principal: or(peers.principals.value(key.local_principal), UNKNOWN),
        app: &local.app,
        version: &local.version,
        cluster: &local.cluster,
    };
    let service = peers.services.value(key.service);
    let (reporter, source, destination, nameless, service_namespace, policy): (&[u8], _, _, _, _, &[u8]) = match key
        .side
    {
        Side::Source => ("source".as_bytes(), here, there, UNKNOWN, or(&service.namespace, peer_namespace), UNKNOWN),
        Side::Destination => {
            let policy: &[u8] = if key.mutual_tls { b"mutual_tls" } else { b"none" };
            (b"destination", there, here, local.service.as_slice(), local.namespace.as_slice(), policy)
        }
    };
    [
        ("reporter", reporter),
        ("source_workload", source.workload),
        ("source_canonical_service", source.service),
        ("source_canonical_revision", source.revision),
        ("source_workload_namespace", source.namespace),
        ("source_principal", source.principal),
        ("source_app", source.app),
        ("source_version", source.version),
        ("source_cluster", source.cluster),
        ("destination_workload", destination.workload),
        ("destination_workload_namespace", destination.namespace),
        ("destination_principal", destination.principal),
        ("destination_app", destination.app),
        ("destination_version", destination.version),
        ("destination_service", or(&service.host, nameless)),
        ("destination_canonical_service", destination.service),
        ("destination_canonical_revision", destination.revision),
        ("destination_service_name", or(&service.name, nameless)),
        ("destination_service_namespace", service_namespace),
        ("destination_cluster", destination.cluster),
        ("request_protocol", if key.grpc_request { b"grpc" } else { b"http" }),
        ("response_code", numbers.code.as_bytes()),
        ("grpc_response_status", numbers.grpc.as_bytes()),
        ("response_flags", numbers.flags.as_bytes()),
        ("connection_security_policy", policy),
    ]
}

fn or<'a>(value: &'a [u8], fallback: &'a [u8]) -> &'a [u8] {
    if value.is_empty() { fallback } else { value }
}
