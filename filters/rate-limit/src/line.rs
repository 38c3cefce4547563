//! One line of the table: a few keys that share one cell.
//!
//! Layout, little-endian: version `u8`, number of ways `u8`, two zero bytes; limit `u64`; residual `u64`; then per way
//! fingerprint `u64`, state `u64`, generation `u32`. A cell that is anything else, or belongs to another limit, is
//! started anew.

use crate::algorithm::Algorithm;
use weir_model::Now;

/// Ways of a line.
pub(crate) const WAYS: usize = 8;

/// The layout's version.
const VERSION: u8 = 1;

/// One key's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Way {
    /// Whose it is; 0 is nobody's.
    pub(crate) fingerprint: u64,
    /// The algorithm's state.
    pub(crate) state: u64,
    /// Rises whenever the debt begins anew.
    pub(crate) generation: u32,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    limit: u64,
    /// The greatest debt that was ever evicted from here.
    residual: u64,
    ways: [Way; WAYS],
    used: usize,
}

/// A key's seat in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    /// Which way.
    pub(crate) index: usize,
    /// From which state the key goes on.
    pub(crate) start: u64,
    /// Somebody with a debt would have to go.
    pub(crate) evicts: bool,
    /// The key has no way yet.
    pub(crate) newcomer: bool,
}

impl Line {
    /// An empty line of `ways` (at most eight) of a limit.
    pub(crate) fn new(limit: u64, ways: usize) -> Self {
        Self { limit, residual: 0, ways: [Way::default(); WAYS], used: ways.clamp(1, WAYS) }
    }

    /// Reads a line of that limit and that many ways.
    pub(crate) fn decode(bytes: &[u8], limit: u64, ways: usize) -> Option<Self> {
        let mut line = Self::new(limit, ways);
        let (head, mut rest) = bytes.split_first_chunk::<4>()?;
        if *head != line.head() || take_u64(&mut rest)? != limit {
            return None;
        }
        line.residual = take_u64(&mut rest)?;
        let used = line.used;
        for way in line.ways.iter_mut().take(used) {
            way.fingerprint = take_u64(&mut rest)?;
            way.state = take_u64(&mut rest)?;
            let (generation, more) = rest.split_first_chunk::<4>()?;
            way.generation = u32::from_le_bytes(*generation);
            rest = more;
        }
        rest.is_empty().then_some(line)
    }

    /// Writes the line into `out` (cleared first).
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&self.head());
        out.extend_from_slice(&self.limit.to_le_bytes());
        out.extend_from_slice(&self.residual.to_le_bytes());
        for way in self.ways.iter().take(self.used) {
            out.extend_from_slice(&way.fingerprint.to_le_bytes());
            out.extend_from_slice(&way.state.to_le_bytes());
            out.extend_from_slice(&way.generation.to_le_bytes());
        }
    }

    fn head(&self) -> [u8; 4] {
        [VERSION, u8::try_from(self.used).unwrap_or(u8::MAX), 0, 0]
    }

    /// The key's own way.
    pub(crate) fn find(&self, fingerprint: u64) -> Option<(usize, Way)> {
        let ways = self.ways.iter().take(self.used).enumerate();
        ways.map(|(index, way)| (index, *way)).find(|(_, way)| way.fingerprint == fingerprint)
    }

    /// The key's own way, or the way with the least debt. A newcomer starts with the greatest debt that left this line
    /// and has not passed, so that nobody gains by being evicted.
    pub(crate) fn seat(&self, fingerprint: u64, algorithm: &Algorithm, now: Now) -> Seat {
        if let Some((index, way)) = self.find(fingerprint) {
            return Seat { index, start: way.state, evicts: false, newcomer: false };
        }
        let ways = self.ways.iter().take(self.used).enumerate();
        let (index, least) = ways.min_by_key(|(_, way)| way.state).map_or((0, 0), |(index, way)| (index, way.state));
        let evicts = !algorithm.is_spent(least, now);
        let residual = if evicts { self.residual.max(least) } else { self.residual };
        let start = if algorithm.is_spent(residual, now) { 0 } else { residual };
        Seat { index, start, evicts, newcomer: true }
    }

    /// Puts the key on its seat with a new state. Returns the way as it then is.
    pub(crate) fn settle(&mut self, seat: &Seat, fingerprint: u64, state: u64, anew: bool) -> Way {
        let Some(way) = self.ways.get_mut(seat.index) else { return Way::default() };
        if seat.evicts {
            self.residual = self.residual.max(way.state);
        }
        let generation = if anew || seat.newcomer { way.generation.wrapping_add(1) } else { way.generation };
        *way = Way { fingerprint, state, generation };
        *way
    }
}

fn take_u64(rest: &mut &[u8]) -> Option<u64> {
    let (word, more) = rest.split_first_chunk::<8>()?;
    *rest = more;
    Some(u64::from_le_bytes(*word))
}

#[cfg(test)]
mod tests;
