//! From descriptors to an answer: which limits apply, which key of each, and whether the hits fit all of them.

use crate::descriptor::Descriptors;
use crate::table::{Charge, Key, Outcome, Table, fingerprint};
use crate::tree::{Limit, Tree};
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

/// Why a limit said what it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// The hits fit.
    Within,
    /// The limit does not limit.
    Unlimited,
    /// The hits do not fit.
    Exceeded,
    /// Busy keys have the place of this one.
    Full,
    /// Other workers changed the state every time.
    Contended,
    /// The state cannot be reached.
    Unavailable,
}

impl Reason {
    /// The word in metrics.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Within => "within",
            Self::Unlimited => "unlimited",
            Self::Exceeded => "exceeded",
            Self::Full => "full",
            Self::Contended => "contended",
            Self::Unavailable => "unavailable",
        }
    }
}

/// What one limit said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Which limit.
    pub(crate) limit: usize,
    /// Whether the hits do not pass it.
    pub(crate) over: bool,
    /// Whether it can refuse.
    pub(crate) shadow: bool,
    /// Why.
    pub(crate) reason: Reason,
    /// Hits left.
    pub(crate) remaining: u64,
    /// Nanoseconds until all are back.
    pub(crate) reset: u64,
    /// Nanoseconds until the hits would fit.
    pub(crate) retry: u64,
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

    /// Charges the limits of all descriptors. Returns the place in `answers` of the limit that refuses.
    pub(crate) fn decide(
        &mut self,
        tree: &Tree,
        descriptors: &Descriptors,
        table: &mut Table,
        cells: &mut dyn Cells,
        now: Now,
    ) -> Option<usize> {
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
            let reachable = found.is_some();
            self.matches.push(Match { limit: index, key, hits: descriptor.hits, receipt: None, reachable });
        }
        if tree.has_replacements() {
            self.replace(&tree.limits);
        }
        let mut refused = self.charge(&tree.limits, false, table, cells, now);
        if refused.is_none() || self.charging == Charging::Reference {
            let _ = self.charge(&tree.limits, true, table, cells, now);
        }
        if self.charging == Charging::Reference {
            refused = self.answers.iter().position(|answer| answer.over && !answer.shadow);
        }
        refused
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

    /// Charges the limits that can refuse, or the others. Stops at the first refusal and gives back what was taken.
    fn charge(
        &mut self,
        limits: &[Limit],
        shadow: bool,
        table: &mut Table,
        cells: &mut dyn Cells,
        now: Now,
    ) -> Option<usize> {
        let charge = match self.charging {
            Charging::AllOrNothing => Charge::IfFits,
            Charging::Reference => Charge::Always,
        };
        for found in &mut self.matches {
            let Some(limit) = limits.get(found.limit).filter(|limit| limit.shadow == shadow) else { continue };
            let outcome = match &limit.algorithm {
                None => None,
                Some(_) if !found.reachable => Some(Outcome::Unavailable),
                Some(algorithm) => Some(table.charge(cells, &found.key, algorithm, found.hits, charge, now)),
            };
            let answer = answered(found.limit, shadow, outcome, self.deny_full);
            if let Some(Outcome::Taken { receipt, .. }) = outcome {
                found.receipt = Some(receipt);
            }
            self.answers.push(answer);
            if answer.over && !shadow && self.charging == Charging::AllOrNothing {
                break;
            }
        }
        let last = self.answers.len().checked_sub(1)?;
        if shadow || !self.answers.last()?.over || self.charging == Charging::Reference {
            return None;
        }
        for found in &mut self.matches {
            let algorithm = limits.get(found.limit).and_then(|limit| limit.algorithm.as_ref());
            if let (Some(receipt), Some(algorithm)) = (found.receipt.take(), algorithm) {
                table.give_back(cells, &found.key, algorithm, found.hits, receipt);
            }
        }
        Some(last)
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

fn answered(limit: usize, shadow: bool, outcome: Option<Outcome>, deny_full: bool) -> Answer {
    let answer = Answer { limit, over: false, shadow, reason: Reason::Unlimited, remaining: 0, reset: 0, retry: 0 };
    match outcome {
        None => answer,
        Some(Outcome::Taken { standing, .. }) => {
            Answer { reason: Reason::Within, remaining: standing.remaining, reset: standing.reset, ..answer }
        }
        Some(Outcome::Exceeded { standing, retry }) => {
            Answer { over: true, reason: Reason::Exceeded, reset: standing.reset, retry, ..answer }
        }
        Some(Outcome::Full { retry, .. }) if deny_full => {
            Answer { over: true, reason: Reason::Full, reset: retry, retry, ..answer }
        }
        Some(Outcome::Full { standing, .. }) => {
            Answer { reason: Reason::Full, remaining: standing.remaining, reset: standing.reset, ..answer }
        }
        Some(Outcome::Contended) => Answer { over: true, reason: Reason::Contended, ..answer },
        Some(Outcome::Unavailable) => Answer { over: true, reason: Reason::Unavailable, ..answer },
    }
}

#[cfg(test)]
mod tests;
