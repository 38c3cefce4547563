//! From descriptors to a decision: which limits apply, which key of each, and whether the hits fit all of them.

use crate::algorithm::{Algorithm, Receipt};
use crate::clock::Moment;
use crate::compiled::limits::{Limit, LimitTree};
use crate::decision::{Decision, LimitDecision, OnFull};
use crate::descriptor::Descriptors;
use crate::table::{Charge, Key, Outcome, Table, fingerprint};
use std::hash::Hasher as _;
use weir_model::{Cells, Now};

/// How several limits of one request are charged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Charging {
    /// A refused request counts nowhere.
    #[default]
    AllOrNothing,
    /// Every limit counts every request, as envoyproxy/ratelimit does.
    Reference,
}

/// A limit that applies to the request, and the key that it is charged to.
#[derive(Clone, Copy, Debug)]
struct Match {
    limit: usize,
    /// `None` where the key or the clock depends on shared data that cannot be reached.
    key: Option<Key>,
    hits: u64,
    receipt: Option<Receipt>,
}

/// Charges limits and decides. Its buffers are kept from request to request.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    matches: Vec<Match>,
    retained: Vec<Match>,
    /// What each limit decided, in the order in which they were asked.
    pub(crate) decisions: Vec<LimitDecision>,
    charging: Charging,
    on_full: OnFull,
}

impl Limiter {
    pub(crate) fn new(charging: Charging, on_full: OnFull) -> Self {
        Self { charging, on_full, ..Self::default() }
    }

    /// Charges the limits of all descriptors.
    #[inline(never)]
    pub(crate) fn decide(
        &mut self,
        tree: &LimitTree,
        descriptors: &Descriptors,
        table: &mut Table,
        cells: &mut dyn Cells,
        now: Now,
    ) -> Decision {
        self.matches.clear();
        self.decisions.clear();
        for descriptor in descriptors.iter() {
            let entries = descriptors.entries(descriptor);
            let pairs = || entries.iter().map(|entry| descriptors.pair(entry));
            let Some(index) = tree.find(pairs()) else { continue };
            let Some(limit) = tree.limits.get(index) else { continue };
            let mut key = key(limit, pairs().map(|(_, value)| value), table, cells);
            if matches!(limit.algorithm, Some(Algorithm::FixedWindow(_))) {
                key = key.filter(|_| table.agree_clock(cells, now).is_ok());
            }
            self.matches.push(Match { limit: index, key, hits: descriptor.hits, receipt: None });
        }
        if tree.has_replacements() {
            self.drop_replaced(&tree.limits);
        }
        let now = table.moment(now);
        self.charge(&tree.limits, false, table, cells, now);
        if self.charging == Charging::AllOrNothing && self.decisions.iter().any(LimitDecision::refuses) {
            self.give_back(&tree.limits, table, cells);
        } else {
            self.charge(&tree.limits, true, table, cells, now);
        }
        Decision::of(&self.decisions)
    }

    /// Drops limits that another limit of this request replaces.
    fn drop_replaced(&mut self, limits: &[Limit]) {
        let is_replaced = |found: &Match, all: &[Match]| {
            let name = limits.get(found.limit).and_then(|limit| limit.name.as_deref());
            let mut replaced = all.iter().filter_map(|other| limits.get(other.limit)).flat_map(|other| &other.replaces);
            name.is_some_and(|name| replaced.any(|replaced| replaced == name))
        };
        self.retained.clear();
        self.retained.extend(self.matches.iter().filter(|found| !is_replaced(found, &self.matches)).copied());
        std::mem::swap(&mut self.retained, &mut self.matches);
    }

    /// Charges the limits in shadow mode, or the others. After the first refusal no limit is charged any more, unless all
    /// limits count every request. The later limits are then only asked, since one of them may refuse for longer.
    fn charge(&mut self, limits: &[Limit], shadow: bool, table: &mut Table, cells: &mut dyn Cells, now: Moment) {
        let mut charge = match self.charging {
            Charging::AllOrNothing => Charge::IfFits,
            Charging::Reference => Charge::Always,
        };
        for index in 0..self.matches.len() {
            let Some(found) = self.matches.get(index).copied() else { continue };
            let Some(limit) = limits.get(found.limit).filter(|limit| limit.shadow == shadow) else { continue };
            let outcome = match (&limit.algorithm, &found.key) {
                (None, _) => None,
                (Some(_), None) => Some(Outcome::Unavailable),
                (Some(algorithm), Some(key)) => {
                    Some(match table.charge(cells, key, algorithm, found.hits, charge, now) {
                        taken @ Outcome::Taken { .. } => taken,
                        refused if algorithm.admits(self.total_hits(key)) => refused,
                        refused => refused.never(),
                    })
                }
            };
            let decision = LimitDecision::new(found.limit, shadow, outcome, self.on_full);
            if charge == Charge::Never {
                self.decisions.extend(Some(decision).filter(LimitDecision::refuses));
                continue;
            }
            if let (Some(Outcome::Taken { receipt, .. }), Some(found)) = (outcome, self.matches.get_mut(index)) {
                found.receipt = receipt;
            }
            self.decisions.push(decision);
            if decision.refuses() && self.charging == Charging::AllOrNothing {
                charge = Charge::Never;
            }
        }
    }

    /// All hits of this request on one key.
    fn total_hits(&self, key: &Key) -> u64 {
        let same = self.matches.iter().filter(|found| found.key.as_ref() == Some(key));
        same.fold(0, |sum, found| sum.saturating_add(found.hits))
    }

    /// Gives back what the limits before the refusal took.
    fn give_back(&mut self, limits: &[Limit], table: &mut Table, cells: &mut dyn Cells) {
        for found in &mut self.matches {
            let algorithm = limits.get(found.limit).and_then(|limit| limit.algorithm.as_ref());
            if let (Some(receipt), Some(key), Some(algorithm)) = (found.receipt.take(), &found.key, algorithm) {
                table.give_back(cells, key, algorithm, found.hits, receipt);
            }
        }
    }
}

/// The key of a descriptor's values; `None` if the seed of the hash cannot be reached.
fn key<'v>(
    limit: &Limit,
    values: impl Iterator<Item = &'v [u8]>,
    table: &mut Table,
    cells: &mut dyn Cells,
) -> Option<Key> {
    let mut fingerprint = limit.id.max(1);
    if limit.algorithm.is_some() && limit.keyed.contains(&true) {
        let mut hasher = table.hasher(cells).ok()?;
        hasher.write_u64(limit.id);
        for (value, _) in values.zip(&limit.keyed).filter(|(_, keyed)| **keyed) {
            hasher.write_u64(u64::try_from(value.len()).unwrap_or(u64::MAX));
            hasher.write(value);
        }
        fingerprint = self::fingerprint(&hasher);
    }
    Some(Key { limit: limit.id, allocation: limit.allocation, fingerprint })
}

#[cfg(test)]
mod tests;
