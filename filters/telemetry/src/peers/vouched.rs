//! Which descriptions of peers a certificate stands for.
//!
//! A certificate proves a principal and, with it, a namespace. The rest of what a peer says of itself nothing proves. A
//! description of the principal's own namespace is vouched for all the same, or no workload would differ from a made-up
//! one. Many workloads may share a service account, so a principal may give many such descriptions, but not so many that
//! it fills the rows alone.

use super::peer::Peer;
use weir_model::SortedMap;

/// Who a peer has proved to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity<'a> {
    /// Number of the principal.
    pub(crate) number: u32,
    /// The principal, empty where none is proved.
    pub(crate) san: &'a [u8],
}

/// The pairs of principal and description that are vouched for. Numbers are kept as bytes, because the module has maps of
/// these already.
#[derive(Clone, Debug)]
pub(crate) struct Vouched {
    pairs: SortedMap<Vec<u8>, u32>,
    /// How many of them each principal has.
    given: SortedMap<Vec<u8>, u32>,
    room: usize,
    /// For how many descriptions one principal stands.
    of_principal: u32,
}

impl Vouched {
    /// Room for as many descriptions as there are rows, and for a quarter of them from one principal.
    pub(crate) fn new(series: usize) -> Self {
        let of_principal = u32::try_from(series.div_ceil(4)).unwrap_or(u32::MAX);
        Self { pairs: SortedMap::new(), given: SortedMap::new(), room: series, of_principal }
    }

    /// Whether `identity` could stand for a description that it has not given before.
    pub(crate) fn would_admit(&self, identity: &Identity<'_>, peer: &Peer) -> bool {
        self.given(identity) < self.of_principal && self.pairs.len() < self.room && peer.agrees_with(identity.san)
    }

    /// Whether `identity` stands for the description `peer`, which has that number; from now on always, if it does.
    pub(crate) fn admit(&mut self, identity: &Identity<'_>, number: u32, peer: &Peer) -> bool {
        let pair = u64::from(identity.number) << 32 | u64::from(number);
        let pair = pair.to_le_bytes();
        if self.pairs.contains_key(pair.as_slice()) {
            return peer.agrees_with(identity.san);
        }
        let admitted = self.would_admit(identity, peer);
        if admitted {
            let given = self.given(identity).saturating_add(1);
            self.given.insert(identity.number.to_le_bytes().to_vec(), given);
            self.pairs.insert(pair.to_vec(), number);
        }
        admitted
    }

    fn given(&self, identity: &Identity<'_>) -> u32 {
        self.given.get(identity.number.to_le_bytes().as_slice()).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
