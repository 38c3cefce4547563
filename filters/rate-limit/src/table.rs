//! The bounded table: keys of limits in compare-and-swap cells that all workers share.
//!
//! A cell's name can never be deleted, so names are numbers: `w1/PLUGIN/DIRECTION/LINE` for lines of keyed limits and
//! `w1/PLUGIN/DIRECTION/sSLOT` for limits without a client's value in their key. The direction is the listener's in an
//! Istio sidecar, whose two listeners may share a plugin, and `unspecified` elsewhere. What a client sends only chooses, by a
//! keyed hash whose key it cannot know, in which line its debt is kept.
//!
//! A limit whose place moves begins anew there: a keyed one when limits come or go, so that the lines are divided anew; so
//! does one whose period or algorithm changed. A changed maximum keeps every count.
//!
//! Nothing is ever admitted because a cell could not be changed: after eight retries the hit is refused.

use crate::algorithm::{Algorithm, Standing, Step};
use crate::clock::{Clock, Moment};
use crate::shared_value::{RETRIES, agree};
use siphasher::sip::SipHasher13;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use weir_model::{CellError, Cells, Expect, Now};

mod set;

pub(crate) use set::WAYS;
use set::{Line, Seat};

/// Which lines a limit has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A cell of its own: the limit has one key.
    Slot(u32),
    /// `lines` lines from `base`; at least one.
    Lines {
        /// The first.
        base: u32,
        /// How many.
        lines: u32,
    },
}

/// One key of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// Who the limit is, the same in every configuration that has it.
    pub(crate) limit: u64,
    /// Where it lives.
    pub(crate) place: Place,
    /// The key.
    pub(crate) fingerprint: u64,
}

/// What is to happen to hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charge {
    /// They count if they fit.
    IfFits,
    /// They count in any case.
    Always,
    /// They do not count: it is only asked whether they would fit.
    Never,
}

/// What happened to hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// They fit and count.
    Taken {
        /// How the key stands.
        standing: Standing,
        /// What giving them back needs.
        receipt: u64,
    },
    /// They do not fit.
    Exceeded {
        /// How the key stands.
        standing: Standing,
        /// Nanoseconds until they would; `None` if they never do.
        retry: Option<u64>,
    },
    /// They would fit a key of their own, but busy keys have its place.
    Full {
        /// How a new key stands.
        standing: Standing,
        /// Nanoseconds until there may be room.
        retry: Option<u64>,
    },
    /// Other workers were faster every time.
    Contended,
    /// The host refused.
    Unavailable,
}

impl Outcome {
    /// The same, where the hits are not all that must fit together and those never do.
    pub(crate) fn forever(self) -> Self {
        match self {
            Self::Exceeded { standing, .. } => Self::Exceeded { standing, retry: None },
            Self::Full { standing, .. } => Self::Full { standing, retry: None },
            other => other,
        }
    }
}

/// What the table counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Keys that lost their place while they had a debt.
    pub(crate) evicted: u64,
    /// Cells that were damaged, of another layout or of another limit.
    pub(crate) restarted: u64,
}

/// The table as one VM sees it.
#[derive(Debug)]
pub(crate) struct Table {
    prefixes: [String; 3],
    direction: usize,
    seed_name: String,
    seed: Option<[u64; 2]>,
    clock: Clock,
    name: String,
    loaded: Vec<u8>,
    tally: Tally,
}

impl Table {
    /// The table of a plugin.
    pub(crate) fn new(plugin: &str) -> Self {
        Self {
            prefixes: ["unspecified", "inbound", "outbound"].map(|direction| format!("w1/{plugin}/{direction}/")),
            direction: 0,
            seed_name: format!("w1/{plugin}/seed"),
            seed: None,
            clock: Clock::default(),
            name: String::new(),
            loaded: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Turns to the listener direction as Envoy numbers it; what is unknown is unspecified.
    pub(crate) fn face(&mut self, direction: Option<i64>) {
        self.direction = match direction {
            Some(1) => 1,
            Some(2) => 2,
            _ => 0,
        };
    }

    /// What was counted since the last call.
    pub(crate) fn tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
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

    /// Charges `hits` to a key. Zero hits only ask.
    pub(crate) fn charge(
        &mut self,
        cells: &mut dyn Cells,
        key: &Key,
        algorithm: &Algorithm,
        hits: u64,
        charge: Charge,
        now: Moment,
    ) -> Outcome {
        self.locate(key);
        for _ in 0..=RETRIES {
            let (found, mut line) = match self.load(cells, key) {
                Ok(loaded) => loaded,
                Err(_) => return Outcome::Unavailable,
            };
            let seat = line.seat(key.fingerprint, algorithm, now);
            let (state, anew, outcome) = match algorithm.take(seat.start, hits, now) {
                Step::Taken { state, anew, standing } => (state, anew, Outcome::Taken { standing, receipt: 0 }),
                Step::Refused { retry, standing } => {
                    if seat.newcomer
                        && let Step::Taken { standing, .. } = algorithm.take(0, hits, now)
                    {
                        return Outcome::Full { standing, retry };
                    }
                    let refused = Outcome::Exceeded { standing, retry };
                    if charge != Charge::Always {
                        return refused;
                    }
                    (algorithm.force(seat.start, hits, now), false, refused)
                }
            };
            if hits == 0 || charge == Charge::Never {
                return outcome;
            }
            let way = line.settle(&seat, key.fingerprint, state, anew);
            match cells.store(&self.name, line.encoded(), found.map_or(Expect::Absent, Expect::Version)) {
                Ok(()) => {
                    self.tally.evicted += u64::from(seat.evicts);
                    return match outcome {
                        Outcome::Taken { standing, .. } => {
                            Outcome::Taken { standing, receipt: receipt(algorithm, way.state, way.generation) }
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

    /// Gives hits back, unless what they were taken from has passed or the key lost its place: then they stay taken,
    /// which is stricter and never more lenient.
    pub(crate) fn give_back(&mut self, cells: &mut dyn Cells, key: &Key, algorithm: &Algorithm, hits: u64, taken: u64) {
        self.locate(key);
        for _ in 0..=RETRIES {
            let Ok((Some(version), mut line)) = self.load(cells, key) else { return };
            let Some((index, way)) = line.find(key.fingerprint) else { return };
            if receipt(algorithm, way.state, way.generation) != taken || hits == 0 {
                return;
            }
            let seat = Seat { index, start: way.state, evicts: false, newcomer: false };
            line.settle(&seat, key.fingerprint, algorithm.give_back(way.state, hits), false);
            if cells.store(&self.name, line.encoded(), Expect::Version(version)) != Err(CellError::Conflict) {
                return;
            }
        }
    }

    fn load(&mut self, cells: &mut dyn Cells, key: &Key) -> Result<(Option<u32>, Line), CellError> {
        let ways = match key.place {
            Place::Slot(_) => 1,
            Place::Lines { .. } => WAYS,
        };
        let found = cells.load(&self.name, &mut self.loaded)?;
        let line = found.and_then(|_| Line::decode(&self.loaded, key.limit, ways));
        if found.is_some() && line.is_none() {
            self.tally.restarted += 1;
        }
        Ok((found, line.unwrap_or_else(|| Line::new(key.limit, ways))))
    }

    /// Writes the name of the key's cell.
    fn locate(&mut self, key: &Key) {
        self.name.clear();
        if let Some(prefix) = self.prefixes.get(self.direction) {
            self.name.push_str(prefix);
        }
        let number = match key.place {
            Place::Slot(slot) => {
                self.name.push('s');
                u64::from(slot)
            }
            Place::Lines { base, lines } => u64::from(base) + key.fingerprint % u64::from(lines.max(1)),
        };
        self.name.push_str(itoa::Buffer::new().format(number));
    }
}

/// What must be the same for hits to be given back: the window, or the generation.
fn receipt(algorithm: &Algorithm, state: u64, generation: u32) -> u64 {
    match algorithm {
        Algorithm::FixedWindow { .. } => state >> 32,
        Algorithm::Gcra { .. } => u64::from(generation),
    }
}

/// Ends a fingerprint; 0 is kept for ways that are nobody's.
pub(crate) fn fingerprint(hasher: &SipHasher13) -> u64 {
    hasher.finish().max(1)
}

#[cfg(test)]
mod tests;
