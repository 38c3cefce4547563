//! The bounded table: usage of keys in compare-and-swap cells that all workers share.
//!
//! The name of a cell of shared data can never be deleted, so names are numbers: `w1/PLUGIN/DIRECTION/SET` for the sets of
//! keyed limits and `w1/PLUGIN/DIRECTION/sNUMBER` for limits without a client's value in their key. The direction is the
//! listener's in an Istio sidecar, whose two listeners may share a plugin, and `unspecified` elsewhere. What a client sends
//! only chooses the set of its key, by a keyed hash whose key the client cannot know.
//!
//! A limit whose cells change starts from zero there: a keyed one when keyed limits come or go and the sets are divided
//! differently, and any limit whose period or algorithm changed. A changed maximum keeps every count.
//!
//! If a cell could not be changed, the hit is never admitted: after eight retries it is refused.

use crate::algorithm::{Algorithm, Quota, Receipt, Retry, Step, Usage};
use crate::clock::{Clock, Moment};
use siphasher::sip::SipHasher13;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use weir_model::{CellError, Cells, Direction, Expect, Now, RETRIES, agree};

mod set;
#[cfg(test)]
mod tests;

pub(crate) use set::WAYS;
use set::{Access, Lookup, Set};

/// The cells of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allocation {
    /// One cell, by its number: the limit has one key.
    Single(u32),
    /// Consecutive sets.
    Sets {
        /// The number of the first.
        first: u32,
        /// How many; at least one.
        count: u32,
    },
}

/// One key of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// Identifies the limit, the same in every configuration that has it.
    pub(crate) limit: u64,
    /// The limit's cells.
    pub(crate) allocation: Allocation,
    /// The hash of the key's values; never 0.
    pub(crate) fingerprint: u64,
}

/// Whether hits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charge {
    /// They count if they fit.
    IfFits,
    /// They count in any case.
    Always,
    /// They do not count: the answer says whether they would fit.
    Never,
}

/// What happened to hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// They fit, and count unless there is nothing to count.
    Taken {
        /// What is left of the key's quota.
        quota: Quota,
        /// What giving them back needs; `None` where none were counted.
        receipt: Option<Receipt>,
    },
    /// They do not fit.
    Exceeded {
        /// What is left of the key's quota.
        quota: Quota,
        /// When they fit.
        retry: Retry,
    },
    /// They would fit the key's own quota, but keys with outstanding usage hold all ways of its set.
    Full {
        /// The quota of a key that was never charged.
        quota: Quota,
        /// When a way may be free.
        retry: Retry,
    },
    /// Other workers changed the cell during each try.
    Contended,
    /// Shared data cannot be reached.
    Unavailable,
}

impl Outcome {
    /// The same, where the hits are part of more that must fit together and never do.
    pub(crate) fn never(self) -> Self {
        match self {
            Self::Exceeded { quota, .. } => Self::Exceeded { quota, retry: Retry::Never },
            Self::Full { quota, .. } => Self::Full { quota, retry: Retry::Never },
            other => other,
        }
    }
}

/// What happened to the table itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TableEvents {
    /// Keys with outstanding usage that were evicted.
    pub(crate) evictions: u64,
    /// Cells that were damaged, of another layout or of another limit, and were replaced.
    pub(crate) restarts: u64,
}

/// The beginning of cell names in each direction.
#[derive(Debug)]
struct Prefixes {
    unspecified: String,
    inbound: String,
    outbound: String,
}

/// The table as one VM sees it.
#[derive(Debug)]
pub(crate) struct Table {
    prefixes: Prefixes,
    direction: Direction,
    seed_name: String,
    seed: Option<[u64; 2]>,
    clock: Clock,
    cell_name: String,
    loaded: Vec<u8>,
    events: TableEvents,
}

impl Table {
    /// The table of a plugin.
    pub(crate) fn new(plugin: &str) -> Self {
        let prefix = |direction| format!("w1/{plugin}/{direction}/");
        Self {
            prefixes: Prefixes {
                unspecified: prefix("unspecified"),
                inbound: prefix("inbound"),
                outbound: prefix("outbound"),
            },
            direction: Direction::default(),
            seed_name: format!("w1/{plugin}/seed"),
            seed: None,
            clock: Clock::default(),
            cell_name: String::new(),
            loaded: Vec::new(),
            events: TableEvents::default(),
        }
    }

    /// Uses the cells of that direction from now on.
    pub(crate) fn set_direction(&mut self, direction: Direction) {
        self.direction = direction;
    }

    /// What happened since the last call.
    pub(crate) fn take_events(&mut self) -> TableEvents {
        std::mem::take(&mut self.events)
    }

    /// A hasher that clients cannot foresee, the same in every worker.
    pub(crate) fn hasher(&mut self, cells: &mut dyn Cells) -> Result<SipHasher13, CellError> {
        let [first, second] = match self.seed {
            Some(seed) => seed,
            None => {
                // The standard library's hasher is keyed from the host's random source.
                let random = || {
                    let random = RandomState::new();
                    [random.hash_one(1u8), random.hash_one(2u8)]
                };
                *self.seed.insert(agree(cells, &self.seed_name, &mut self.loaded, |_| true, random)?)
            }
        };
        Ok(SipHasher13::new_with_keys(first, second))
    }

    /// Makes sure that windows have a clock, the same in every worker.
    pub(crate) fn agree_clock(&mut self, cells: &mut dyn Cells, now: Now) -> Result<(), CellError> {
        self.clock.agree(cells, now, &mut self.loaded)
    }

    /// The present.
    pub(crate) fn moment(&self, now: Now) -> Moment {
        self.clock.moment(now)
    }

    /// Charges `hits` to a key. Zero hits change nothing and give the quota.
    pub(crate) fn charge(
        &mut self,
        cells: &mut dyn Cells,
        key: &Key,
        algorithm: &Algorithm,
        hits: u64,
        charge: Charge,
        now: Moment,
    ) -> Outcome {
        self.write_cell_name(key);
        for _ in 0..=RETRIES {
            let Ok((version, mut set)) = self.load(cells, key) else { return Outcome::Unavailable };
            let lookup = set.lookup(key.fingerprint, algorithm, now);
            let (usage, restarted, outcome) = match algorithm.take(lookup.usage, hits, now) {
                Step::Taken { usage, restarted, quota } => (usage, restarted, Outcome::Taken { quota, receipt: None }),
                Step::Refused { retry, quota } => {
                    if lookup.access != Access::Hit
                        && let Step::Taken { quota, .. } = algorithm.take(Usage::NONE, hits, now)
                    {
                        return Outcome::Full { quota, retry };
                    }
                    let refused = Outcome::Exceeded { quota, retry };
                    if charge != Charge::Always {
                        return refused;
                    }
                    (algorithm.overdraw(lookup.usage, hits, now), false, refused)
                }
            };
            if hits == 0 || charge == Charge::Never {
                return outcome;
            }
            let entry = set.write(&lookup, key.fingerprint, usage, restarted);
            match cells.store(&self.cell_name, set.encoded(), version.map_or(Expect::Absent, Expect::Version)) {
                Ok(()) => {
                    self.events.evictions += u64::from(lookup.access == Access::Eviction);
                    return match outcome {
                        Outcome::Taken { quota, .. } => {
                            let receipt = Some(algorithm.receipt(entry.usage, entry.generation));
                            Outcome::Taken { quota, receipt }
                        }
                        other => other,
                    };
                }
                Err(CellError::Conflict) => {}
                Err(CellError::Unavailable) => return Outcome::Unavailable,
            }
        }
        Outcome::Contended
    }

    /// Gives hits back, unless the usage they were added to has expired or the key was evicted: then they stay taken, which
    /// is stricter and never more lenient.
    pub(crate) fn give_back(
        &mut self,
        cells: &mut dyn Cells,
        key: &Key,
        algorithm: &Algorithm,
        hits: u64,
        receipt: Receipt,
    ) {
        self.write_cell_name(key);
        for _ in 0..=RETRIES {
            let Ok((Some(version), mut set)) = self.load(cells, key) else { return };
            let Some((way, entry)) = set.find(key.fingerprint) else { return };
            if algorithm.receipt(entry.usage, entry.generation) != receipt {
                return;
            }
            let lookup = Lookup { way, usage: entry.usage, access: Access::Hit };
            set.write(&lookup, key.fingerprint, algorithm.give_back(entry.usage, hits), false);
            if cells.store(&self.cell_name, set.encoded(), Expect::Version(version)) != Err(CellError::Conflict) {
                return;
            }
        }
    }

    /// The version and the set of the key's cell; an empty set where there is none, or none that can be used.
    fn load(&mut self, cells: &mut dyn Cells, key: &Key) -> Result<(Option<u32>, Set), CellError> {
        let ways = match key.allocation {
            Allocation::Single(_) => 1,
            Allocation::Sets { .. } => WAYS,
        };
        let version = cells.load(&self.cell_name, &mut self.loaded)?;
        let set = version.and_then(|_| Set::decode(&self.loaded, key.limit, ways));
        if version.is_some() && set.is_none() {
            self.events.restarts += 1;
        }
        Ok((version, set.unwrap_or_else(|| Set::new(key.limit, ways))))
    }

    fn write_cell_name(&mut self, key: &Key) {
        let prefix = match self.direction {
            Direction::Unspecified => &self.prefixes.unspecified,
            Direction::Inbound => &self.prefixes.inbound,
            Direction::Outbound => &self.prefixes.outbound,
        };
        self.cell_name.clear();
        self.cell_name.push_str(prefix);
        let number = match key.allocation {
            Allocation::Single(number) => {
                self.cell_name.push('s');
                u64::from(number)
            }
            Allocation::Sets { first, count } => u64::from(first) + key.fingerprint % u64::from(count.max(1)),
        };
        self.cell_name.push_str(itoa::Buffer::new().format(number));
    }
}

/// Finishes a fingerprint; 0 marks empty ways.
pub(crate) fn fingerprint(hasher: &SipHasher13) -> u64 {
    hasher.finish().max(1)
}
