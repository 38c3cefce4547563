//! Attributes that outlast a stream, read once.
//!
//! In a list an attribute costs 2,150 to 3,700 instructions, a message some 6,000. What a connection says of itself never
//! changes, so it is read with the first stream of each connection. The metadata of a cluster changes with the cluster's
//! configuration only, so it is read again after [`CLUSTERS`].

use crate::fetch::Listed;
use crate::list::read;
use weir_model::{Attribute, Attributes, Demand, SortedMap, SortedSet};

/// How many slots there are, as in a direct-mapped cache: of two connections in one slot the later one is remembered.
const SLOTS: i64 = 256;
/// How long the metadata of clusters is remembered, in nanoseconds: ten seconds.
const CLUSTERS: u64 = 10_000_000_000;
/// The most clusters that are remembered, and the most bytes of each.
const MOST_CLUSTERS: usize = 64;
const METADATA_BYTES: usize = 8192;

/// What connections have said.
#[derive(Debug)]
pub(crate) struct Connections {
    wanted: SortedSet<Attribute>,
    list: Listed,
    /// By the connection's number, modulo [`SLOTS`].
    slots: Vec<Option<(i64, Attributes)>>,
}

impl Connections {
    /// Reads `wanted` once for each connection.
    pub(crate) fn new(wanted: &SortedSet<Attribute>) -> Self {
        let demand = Demand { attributes: wanted.clone(), ..Demand::default() };
        Self { wanted: wanted.clone(), list: Listed::new(&demand, true), slots: Vec::new() }
    }

    /// Adds what the stream's connection says to `out`, which says which connection that is.
    pub(crate) fn fetch(&mut self, out: &mut Attributes) {
        let id = out.int(&Attribute::ConnectionId);
        let slot = id.and_then(|id| usize::try_from(id.rem_euclid(SLOTS)).ok());
        if let Some(Some(Some((number, values)))) = slot.map(|slot| self.slots.get(slot))
            && Some(*number) == id
        {
            return give(&self.wanted, values, out);
        }
        let mut values = Attributes::default();
        self.list.fetch(&mut values);
        give(&self.wanted, &values, out);
        let is_whole = !self.wanted.iter().any(|attribute| values.is_unreadable(attribute));
        if let (Some(id), Some(slot), true) = (id, slot, is_whole) {
            if self.slots.len() <= slot {
                self.slots.resize(slot + 1, None);
            }
            if let Some(entry) = self.slots.get_mut(slot) {
                *entry = Some((id, values));
            }
        }
    }
}

fn give(wanted: &SortedSet<Attribute>, values: &Attributes, out: &mut Attributes) {
    for attribute in wanted.iter() {
        match values.bytes(attribute) {
            Some(value) => out.set(attribute, value),
            None if values.is_unreadable(attribute) => out.set_unreadable(attribute),
            None => {}
        }
    }
}

/// The metadata of clusters by their names.
#[derive(Debug, Default)]
pub(crate) struct Clusters {
    metadata: SortedMap<Box<[u8]>, Box<[u8]>>,
    /// When they were forgotten last, on the monotonic clock.
    since: u64,
}

impl Clusters {
    /// Adds the metadata of the stream's cluster to `out`, which has its name.
    pub(crate) fn fetch(&mut self, out: &mut Attributes) {
        let Some(name) = out.bytes(&Attribute::ClusterName) else { return };
        if let Some(metadata) = self.metadata.get(name) {
            return out.set(&Attribute::ClusterMetadata, metadata);
        }
        let name: Box<[u8]> = name.into();
        read(&Attribute::ClusterMetadata, out);
        if let Some(metadata) = out.bytes(&Attribute::ClusterMetadata).filter(|bytes| bytes.len() <= METADATA_BYTES) {
            if self.metadata.len() >= MOST_CLUSTERS {
                self.metadata.clear();
            }
            self.metadata.insert(name, metadata.into());
        }
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: u64) {
        if now.saturating_sub(self.since) >= CLUSTERS {
            self.forget(now);
        }
    }

    /// No ticks come from now on, or the time is up.
    pub(crate) fn forget(&mut self, now: u64) {
        self.metadata.clear();
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_testing::Rows;

    // Outside a host nothing can be read, and what cannot be read is not remembered.
    #[test]
    fn a_connection_is_known_by_its_number() {
        let mut connections = Connections::new(&[Attribute::PeerUriSan, Attribute::ConnectionMtls].into());
        let mut values = Attributes::default();
        values.set(&Attribute::PeerUriSan, b"spiffe://td/a");
        values.set_bool(&Attribute::ConnectionMtls, true);
        connections.slots = vec![None, Some((257, values))];
        let mut of = |id: Option<i64>| {
            let mut out = Attributes::default();
            if let Some(id) = id {
                out.set_int(&Attribute::ConnectionId, id);
            }
            connections.fetch(&mut out);
            let san = out.bytes(&Attribute::PeerUriSan).map(<[u8]>::to_vec);
            (san, out.bool(&Attribute::ConnectionMtls), out.is_unreadable(&Attribute::PeerUriSan))
        };
        assert_eq!(of(Some(257)), (Some(b"spiffe://td/a".to_vec()), Some(true), false));
        // Another connection in the same slot, one in an empty slot, and one without a number.
        let mut rows = Rows::default();
        for id in [Some(1), Some(2), Some(-1), None] {
            rows.check(format!("{id:?}"), of(id), (None, None, true));
        }
        assert!(of(Some(257)).0.is_some(), "what could not be read takes no slot");
    }

    #[test]
    fn clusters_are_known_for_a_time() {
        let mut clusters = Clusters::default();
        clusters.metadata.insert(b"a".as_slice().into(), b"metadata".as_slice().into());
        let of = |clusters: &mut Clusters, name: &[u8]| {
            let mut out = Attributes::default();
            out.set(&Attribute::ClusterName, name);
            clusters.fetch(&mut out);
            out.bytes(&Attribute::ClusterMetadata).map(<[u8]>::to_vec)
        };
        assert_eq!(of(&mut clusters, b"a"), Some(b"metadata".to_vec()));
        assert_eq!(of(&mut clusters, b"b"), None);
        clusters.tick(CLUSTERS - 1);
        assert!(of(&mut clusters, b"a").is_some());
        clusters.tick(CLUSTERS);
        assert_eq!(of(&mut clusters, b"a"), None);
    }
}
