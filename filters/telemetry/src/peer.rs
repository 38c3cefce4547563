//! The workload at the other end, as it or the control plane describes it.
//!
//! Three forms, all of them Istio's: the `x-envoy-peer-metadata` header (Base64 of a `google.protobuf.Struct`), the filter
//! state in which Istio's metadata exchange keeps what it found out, and on endpoints the string
//! `workload;namespace;canonical-name;canonical-revision;cluster` under `istio.workload`.

use weir_model::{Headers, Struct, StructValue};
use weir_proto::{decode_metadata, decode_struct};

/// Name of the header that carries peer metadata.
pub(crate) const PEER_HEADER: &[u8] = b"x-envoy-peer-metadata";

/// The longest header value that is decoded. Istio's own are below 2 KiB.
pub(crate) const PEER_HEADER_BYTES: usize = 8192;

/// The longest filter state that is looked at. Its values come from a header.
const PEER_STATE_BYTES: usize = 16 * 1024;

/// A workload's description. Empty means not told.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    /// `WORKLOAD_NAME`.
    pub workload: Vec<u8>,
    /// `NAMESPACE`.
    pub namespace: Vec<u8>,
    /// Label `service.istio.io/canonical-name`.
    pub service: Vec<u8>,
    /// Label `service.istio.io/canonical-revision`.
    pub revision: Vec<u8>,
    /// Label `app.kubernetes.io/name`, else `app`.
    pub app: Vec<u8>,
    /// Label `app.kubernetes.io/version`, else `version`.
    pub version: Vec<u8>,
    /// `CLUSTER_ID`.
    pub cluster: Vec<u8>,
    /// `IDENTITY`, a SPIFFE URI.
    pub identity: Vec<u8>,
}

impl Peer {
    /// Reads the value of an `x-envoy-peer-metadata` header; `None` if it is longer than 8 KiB, not Base64 or not a Struct.
    pub fn from_header(value: &[u8]) -> Option<Self> {
        if value.is_empty() || value.len() > PEER_HEADER_BYTES {
            return None;
        }
        Some(Self::from_struct(&decode_struct(&crate::decode_base64(value)?)?))
    }

    /// Reads the fields that peers exchange; unknown ones are ignored.
    pub fn from_struct(fields: &Struct) -> Self {
        let labels = fields.get("LABELS").and_then(StructValue::as_map);
        let field = |key: &str| text(fields.get(key));
        let label = |keys: &[&str]| {
            let found = keys.iter().map(|key| text(labels.and_then(|labels| labels.get(key))));
            found.into_iter().find(|value| !value.is_empty()).unwrap_or_default()
        };
        Self {
            workload: field("WORKLOAD_NAME"),
            namespace: field("NAMESPACE"),
            service: label(&["service.istio.io/canonical-name"]),
            revision: label(&["service.istio.io/canonical-revision"]),
            app: label(&["app.kubernetes.io/name", "app"]),
            version: label(&["app.kubernetes.io/version", "version"]),
            cluster: field("CLUSTER_ID"),
            identity: field("IDENTITY"),
        }
    }

    /// Reads the string that Istio's control plane puts on endpoints; `None` unless it has exactly five parts.
    pub fn from_endpoint(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(|part| part.as_bytes().to_vec());
        let peer = Self {
            workload: parts.next()?,
            namespace: parts.next()?,
            service: parts.next()?,
            revision: parts.next()?,
            cluster: parts.next()?,
            ..Self::default()
        };
        parts.next().is_none().then_some(peer)
    }

    /// Whether this agrees with what the peer's certificate proves: the namespace is the certificate's, and so is the
    /// identity, where one is told. What a peer says beyond that, nothing proves.
    pub(crate) fn agrees_with(&self, principal: &[u8]) -> bool {
        let proven = namespace_of(principal);
        !proven.is_empty() && self.namespace == proven && (self.identity.is_empty() || self.identity == principal)
    }

    /// Reads `xds.upstream_host_metadata`, a serialised `envoy.config.core.v3.Metadata`.
    pub fn from_endpoint_metadata(bytes: &[u8]) -> Option<Self> {
        Self::from_endpoint(decode_metadata(bytes)?.get("istio")?.get("workload")?.as_text()?)
    }
}

/// What Istio's metadata exchange keeps in filter state, read in place. Envoy hands the struct over as pairs, in an order
/// that changes from one stream to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PeerState<'a>([&'a [u8]; 8]);

impl<'a> PeerState<'a> {
    /// The keys of the struct (Istio: `metadata_object.h`), in the order of the fields of [`Peer`].
    const KEYS: [&'static [u8]; 8] =
        [b"workload", b"namespace", b"service", b"revision", b"app", b"version", b"cluster", b"identity"];

    /// Reads `filter_state.downstream_peer` or `filter_state.upstream_peer`; `None` if it is longer than 16 KiB, is no map
    /// or tells nothing of a workload.
    pub(crate) fn read(block: &'a [u8]) -> Option<Self> {
        if block.len() > PEER_STATE_BYTES {
            return None;
        }
        let mut fields: [&[u8]; 8] = [b""; 8];
        let (mut entries, pairs) = (0, Headers::new(block));
        for (key, value) in pairs.iter() {
            entries += 1;
            if let Some((_, field)) = Self::KEYS.iter().zip(&mut fields).find(|(known, _)| **known == key) {
                *field = value;
            }
        }
        // A text can begin like pairs, and then ends too early.
        (entries == pairs.len() && fields.iter().any(|field| !field.is_empty())).then_some(Self(fields))
    }

    /// Writes the fields into `out`, so that equal descriptions are equal bytes and no others are.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        for field in self.0 {
            out.extend_from_slice(&field.len().to_le_bytes());
            out.extend_from_slice(field);
        }
    }

    /// The same, owned.
    pub(crate) fn to_peer(self) -> Peer {
        let [workload, namespace, service, revision, app, version, cluster, identity] = self.0.map(<[u8]>::to_vec);
        Peer { workload, namespace, service, revision, app, version, cluster, identity }
    }
}

fn text(value: Option<&StructValue>) -> Vec<u8> {
    value.and_then(StructValue::as_text).unwrap_or_default().as_bytes().to_vec()
}

/// The namespace in a SPIFFE URI `spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/ACCOUNT`; empty where there is none.
pub(crate) fn namespace_of(principal: &[u8]) -> &[u8] {
    let Some(at) = principal.windows(4).position(|part| part == b"/ns/") else { return b"" };
    let rest = principal.get(at + 4..).unwrap_or_default();
    rest.split(|byte| *byte == b'/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
