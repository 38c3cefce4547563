//! From descriptors to an answer: which limits apply, which key of each, and whether the hits fit all of them.

use crate::algorithm::Algorithm;
use crate::clock::Moment;
use crate::compiled::limits::{Limit, Tree};
use crate::decision::{Answer, Decision};
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

#[derive(Clone, Copy, Debug)]
struct Match {
    limit: usize,
    key: Key,
    hits: u64,
    receipt: Option<u64>,
    reachable: bool,
}

/// Decides, and remembers the space it needs for it.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    matches: Vec<Match>,
    kept: Vec<Match>,
    /// What each consulted limit said, in the order in which they were asked.
    pub(crate) answers: Vec<Answer>,
    charging: Charging,
    deny_full: bool,
}

impl Judge {
    /// `deny_full` refuses new keys whose place is taken by busy ones.
    pub(crate) fn new(charging: Charging, deny_full: bool) -> Self {
        Self { charging, deny_full, ..Self::default() }
    }

    /// Charges the limits of all descriptors.
    pub(crate) fn decide(
        &mut self,
        tree: &Tree,
        descriptors: &Descriptors,
        table: &mut Table,
        cells: &mut dyn Cells,
        now: Now,
    ) -> Decision {
        self.matches.clear();
        self.answers.clear();
        for descriptor in descriptors.iter() {
            let entries = descriptors.entries(descriptor);
            let pairs = || entries.iter().map(|entry| descriptors.pair(entry));
            let Some(index) = tree.find(pairs()) else { continue };
            let Some(limit) = tree.limits.get(index) else { continue };
            let values = pairs().map(|(_, value)| value);
            let found = key(limit, values, table, cells);
            let key = found.unwrap_or(Key { limit: limit.id, place: limit.place, fingerprint: 1 });
            let windowed = matches!(limit.algorithm, Some(Algorithm::FixedWindow { .. }));
            let reachable = found.is_some() && !(windowed && table.agree_clock(cells, now).is_err());
            self.matches.push(Match { limit: index, key, hits: descriptor.hits, receipt: None, reachable });
        }
        if tree.has_replacements() {
            self.replace(&tree.limits);
        }
        let now = table.moment(now);
        self.charge(&tree.limits, false, table, cells, now);
        let gives_back = self.charging == Charging::AllOrNothing && self.answers.iter().any(Answer::refuses);
        if gives_back {
            self.give_back(&tree.limits, table, cells);
        } else {
            self.charge(&tree.limits, true, table, cells, now);
        }
        Decision::of(&self.answers)
    }

    /// Drops limits that another limit of this request replaces.
    fn replace(&mut self, limits: &[Limit]) {
        let gone = |found: &Match, all: &[Match]| {
            let name = limits.get(found.limit).and_then(|limit| limit.name.as_deref());
            let mut replaced = all.iter().filter_map(|other| limits.get(other.limit)).flat_map(|other| &other.replaces);
            name.is_some_and(|name| replaced.any(|replaced| replaced == name))
        };
        self.kept.clear();
        self.kept.extend(self.matches.iter().filter(|found| !gone(found, &self.matches)).copied());
        std::mem::swap(&mut self.kept, &mut self.matches);
    }

    /// Charges the limits that can refuse, or the others. After the first refusal nothing more is charged, unless all limits
    /// count every request; the other limits are only asked, since one of them may refuse for longer.
    fn charge(&mut self, limits: &[Limit], shadow: bool, table: &mut Table, cells: &mut dyn Cells, now: Moment) {
        let mut charge = match self.charging {
            Charging::AllOrNothing => Charge::IfFits,
            Charging::Reference => Charge::Always,
        };
        for index in 0..self.matches.len() {
            let Some(found) = self.matches.get(index).copied() else { continue };
            let Some(limit) = limits.get(found.limit).filter(|limit| limit.shadow == shadow) else { continue };
            let outcome = match &limit.algorithm {
                None => None,
                Some(_) if !found.reachable => Some(Outcome::Unavailable),
                Some(algorithm) => Some(match table.charge(cells, &found.key, algorithm, found.hits, charge, now) {
                    taken @ Outcome::Taken { .. } => taken,
                    refused if algorithm.admits(self.whole(&found.key)) => refused,
                    refused => refused.forever(),
                }),
            };
            let answer = Answer::new(found.limit, shadow, outcome, self.deny_full);
            if charge == Charge::Never {
                self.answers.extend(Some(answer).filter(Answer::refuses));
                continue;
            }
            if let (Some(Outcome::Taken { receipt, .. }), Some(found)) = (outcome, self.matches.get_mut(index)) {
                found.receipt = Some(receipt);
            }
            self.answers.push(answer);
            if answer.refuses() && self.charging == Charging::AllOrNothing {
                charge = Charge::Never;
            }
        }
    }

    /// All hits of this request on one key.
    fn whole(&self, key: &Key) -> u64 {
        self.matches.iter().filter(|found| found.key == *key).fold(0, |sum, found| sum.saturating_add(found.hits))
    }

    /// Gives back what the limits before the refusal took.
    fn give_back(&mut self, limits: &[Limit], table: &mut Table, cells: &mut dyn Cells) {
        for found in &mut self.matches {
            let algorithm = limits.get(found.limit).and_then(|limit| limit.algorithm.as_ref());
            if let (Some(receipt), Some(algorithm)) = (found.receipt.take(), algorithm) {
                table.give_back(cells, &found.key, algorithm, found.hits, receipt);
            }
        }
    }
}

/// The key of a descriptor's values; `None` if the hash key cannot be reached.
fn key<'v>(
    limit: &Limit,
    values: impl Iterator<Item = &'v [u8]>,
    table: &mut Table,
    cells: &mut dyn Cells,
) -> Option<Key> {
    let mut fingerprint_of_key = limit.id.max(1);
    if limit.algorithm.is_some() && limit.keyed.contains(&true) {
        let mut hasher = table.hasher(cells).ok()?;
        hasher.write_u64(limit.id);
        for (value, _) in values.zip(&limit.keyed).filter(|(_, keyed)| **keyed) {
            hasher.write_u64(u64::try_from(value.len()).unwrap_or(u64::MAX));
            hasher.write(value);
        }
        fingerprint_of_key = fingerprint(&hasher);
    }
    Some(Key { limit: limit.id, place: limit.place, fingerprint: fingerprint_of_key })
}

#[cfg(test)]
mod tests;
