//! Which descriptions of peers a certificate stands for.
//!
//! A certificate proves a principal and, with it, a namespace. The rest of what a peer says of itself nothing proves. A
//! description of the principal's own namespace is vouched for all the same, or no workload would be told from a made-up
//! one. Many workloads may share a service account, so a principal may give many such descriptions, but not so many that
//! it fills the rows alone.

use crate::peer::Peer;
use std::collections::{BTreeMap, BTreeSet};

/// Who a peer has proved to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity<'a> {
    /// Number of the principal.
    pub(crate) number: u32,
    /// The principal, empty where none is proved.
    pub(crate) san: &'a [u8],
}

/// The pairs of principal and description that are vouched for.
#[derive(Clone, Debug)]
pub(crate) struct Vouched {
    pairs: BTreeSet<(u32, u32)>,
    /// How many of them each principal has.
    given: BTreeMap<u32, usize>,
    room: usize,
    /// For how many descriptions one principal stands.
    of_principal: usize,
}

impl Vouched {
    /// Room for as many descriptions as there are rows, and for a quarter of them from one principal.
    pub(crate) fn new(series: usize) -> Self {
        Self { pairs: BTreeSet::new(), given: BTreeMap::new(), room: series, of_principal: series.div_ceil(4) }
    }

    /// Whether `identity` could stand for a description that it has not given before.
    pub(crate) fn would_admit(&self, identity: &Identity<'_>, peer: &Peer) -> bool {
        let given = self.given.get(&identity.number).copied().unwrap_or_default();
        given < self.of_principal && self.pairs.len() < self.room && peer.agrees_with(identity.san)
    }

    /// Whether `identity` stands for the description `peer`, which has that number; from now on always, if it does.
    pub(crate) fn admit(&mut self, identity: &Identity<'_>, number: u32, peer: &Peer) -> bool {
        if self.pairs.contains(&(identity.number, number)) {
            return peer.agrees_with(identity.san);
        }
        let admitted = self.would_admit(identity, peer);
        if admitted {
            self.pairs.insert((identity.number, number));
            *self.given.entry(identity.number).or_default() += 1;
        }
        admitted
    }
}

#[cfg(test)]
mod tests;
