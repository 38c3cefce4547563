//! The peer as Istio's metadata exchange describes it in filter state.

use super::peer::Peer;
use weir_model::Headers;

/// The longest filter state that is looked at. Its values come from a header.
const PEER_STATE_BYTES: usize = 16 * 1024;

/// What Istio's metadata exchange keeps in filter state, read in place. Envoy hands the struct over as pairs, in an order
/// that changes from one stream to the next. What is not given is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PeerState<'a> {
    workload: &'a [u8],
    namespace: &'a [u8],
    service: &'a [u8],
    revision: &'a [u8],
    app: &'a [u8],
    version: &'a [u8],
    cluster: &'a [u8],
    identity: &'a [u8],
}

impl<'a> PeerState<'a> {
    /// Reads `filter_state.downstream_peer` or `filter_state.upstream_peer`; `None` if it is longer than 16 KiB, is not a map
    /// or has nothing of a workload.
    pub(crate) fn read(block: &'a [u8]) -> Option<Self> {
        if block.len() > PEER_STATE_BYTES {
            return None;
        }
        let mut state = Self::default();
        let (mut entries, pairs) = (0, Headers::new(block));
        for (key, value) in pairs.iter() {
            entries += 1;
            if let Some(field) = state.field(key) {
                *field = value;
            }
        }
        // A text can begin like pairs, and then ends too early.
        (entries == pairs.len() && state.fields().iter().any(|field| !field.is_empty())).then_some(state)
    }

    /// The field of a key of the struct (Istio: `metadata_object.h`).
    #[inline(never)]
    fn field(&mut self, key: &[u8]) -> Option<&mut &'a [u8]> {
        Some(match key {
            b"workload" => &mut self.workload,
            b"namespace" => &mut self.namespace,
            b"service" => &mut self.service,
            b"revision" => &mut self.revision,
            b"app" => &mut self.app,
            b"version" => &mut self.version,
            b"cluster" => &mut self.cluster,
            b"identity" => &mut self.identity,
            _ => return None,
        })
    }

    fn fields(&self) -> [&'a [u8]; 8] {
        let Self { workload, namespace, service, revision, app, version, cluster, identity } = *self;
        [workload, namespace, service, revision, app, version, cluster, identity]
    }

    /// Writes the fields into `out`, so that equal descriptions are equal bytes and no others are.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        for field in self.fields() {
            out.extend_from_slice(&field.len().to_le_bytes());
            out.extend_from_slice(field);
        }
    }

    /// The same, owned.
    #[inline(never)]
    pub(crate) fn to_peer(self) -> Peer {
        let Self { workload, namespace, service, revision, app, version, cluster, identity } = self;
        Peer {
            workload: workload.to_vec(),
            namespace: namespace.to_vec(),
            service: service.to_vec(),
            revision: revision.to_vec(),
            app: app.to_vec(),
            version: version.to_vec(),
            cluster: cluster.to_vec(),
            identity: identity.to_vec(),
        }
    }
}
