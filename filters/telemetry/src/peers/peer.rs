//! The workload at the other end, as it or the control plane describes it.
//!
//! Three forms, all of them Istio's: the `x-envoy-peer-metadata` header (Base64 of a `google.protobuf.Struct`), the filter
//! state in which Istio's metadata exchange keeps what it found out, and on endpoints the string
//! `workload;namespace;canonical-name;canonical-revision;cluster` under `istio.workload`.

use super::base64;
use weir_model::{Struct, StructValue};
use weir_proto::{decode_metadata, decode_struct};

/// Name of the header that carries peer metadata.
pub(crate) const PEER_HEADER: &[u8] = b"x-envoy-peer-metadata";

/// The longest header value that is decoded. Istio's own are below 2 KiB.
pub(crate) const PEER_HEADER_BYTES: usize = 8192;

/// A workload's description. A field that is not given is empty.
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
    #[inline(never)]
    pub fn from_header(value: &[u8]) -> Option<Self> {
        if value.is_empty() || value.len() > PEER_HEADER_BYTES {
            return None;
        }
        Some(Self::from_struct(&decode_struct(&base64::decode(value)?)?))
    }

    /// Reads the fields that peers exchange; unknown ones are ignored.
    #[inline(never)]
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
    #[inline(never)]
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
    /// identity, where one is given. What a peer says beyond that, nothing proves.
    pub(crate) fn agrees_with(&self, principal: &[u8]) -> bool {
        let proven = namespace_of(principal);
        !proven.is_empty() && self.namespace == proven && (self.identity.is_empty() || self.identity == principal)
    }

    /// Reads `xds.upstream_host_metadata`, a serialised `envoy.config.core.v3.Metadata`.
    #[inline(never)]
    pub fn from_endpoint_metadata(bytes: &[u8]) -> Option<Self> {
        Self::from_endpoint(decode_metadata(bytes)?.get("istio")?.get("workload")?.as_text()?)
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
