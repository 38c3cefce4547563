//! One line of the table: a few keys that share one cell.
//!
//! Layout, little-endian: version `u8`, number of ways `u8`, two zero bytes; limit `u64`; residual `u64`; then per way
//! fingerprint `u64`, state `u64`, generation `u32`. A cell that is anything else, or belongs to another limit, is
//! started anew.

use crate::algorithm::Algorithm;
use crate::clock::Moment;

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

/// Bytes before the ways, and of a way.
const HEAD: usize = 20;
const WAY: usize = 20;

/// One line, as it lies in its cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    bytes: [u8; HEAD + WAYS * WAY],
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
        let mut line = Self { bytes: [0; HEAD + WAYS * WAY], used: ways.clamp(1, WAYS) };
        line.put(0, [VERSION, u8::try_from(line.used).unwrap_or(u8::MAX)]);
        line.put(4, limit.to_le_bytes());
        line
    }

    /// Reads a line of that limit and that many ways.
    pub(crate) fn decode(bytes: &[u8], limit: u64, ways: usize) -> Option<Self> {
        let mut line = Self::new(limit, ways);
        let own = line.bytes.get_mut(..HEAD + line.used * WAY)?;
        if own.len() != bytes.len() || own.get(..12) != bytes.get(..12) {
            return None;
        }
        own.copy_from_slice(bytes);
        Some(line)
    }

    /// The bytes of the cell.
    pub(crate) fn encoded(&self) -> &[u8] {
        self.bytes.get(..HEAD + self.used * WAY).unwrap_or_default()
    }

    /// The greatest debt that was ever evicted from here.
    fn residual(&self) -> u64 {
        u64::from_le_bytes(self.get(12))
    }

    fn ways(&self) -> impl Iterator<Item = (usize, Way)> {
        (0..self.used).map(|index| (index, self.way(index)))
    }

    fn way(&self, index: usize) -> Way {
        let at = HEAD + index * WAY;
        Way {
            fingerprint: u64::from_le_bytes(self.get(at)),
            state: u64::from_le_bytes(self.get(at + 8)),
            generation: u32::from_le_bytes(self.get(at + 16)),
        }
    }

    fn get<const N: usize>(&self, at: usize) -> [u8; N] {
        self.bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
    }

    fn put<const N: usize>(&mut self, at: usize, value: [u8; N]) {
        if let Some(place) = self.bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
            *place = value;
        }
    }

    /// The key's own way.
    pub(crate) fn find(&self, fingerprint: u64) -> Option<(usize, Way)> {
        self.ways().find(|(_, way)| way.fingerprint == fingerprint)
    }

    /// The key's own way, or the way with the least debt. A newcomer starts with the greatest debt that left this line
    /// and has not passed, so that nobody gains by being evicted.
    pub(crate) fn seat(&self, fingerprint: u64, algorithm: &Algorithm, now: Moment) -> Seat {
        if let Some((index, way)) = self.find(fingerprint) {
            return Seat { index, start: way.state, evicts: false, newcomer: false };
        }
        let (index, least) = self.ways().min_by_key(|(_, way)| way.state).map_or((0, 0), |(at, way)| (at, way.state));
        let evicts = !algorithm.is_spent(least, now);
        let residual = if evicts { self.residual().max(least) } else { self.residual() };
        let start = if algorithm.is_spent(residual, now) { 0 } else { residual };
        Seat { index, start, evicts, newcomer: true }
    }

    /// Puts the key on its seat with a new state. Returns the way as it then is.
    pub(crate) fn settle(&mut self, seat: &Seat, fingerprint: u64, state: u64, anew: bool) -> Way {
        if seat.index >= self.used {
            return Way::default();
        }
        let Way { state: before, generation, .. } = self.way(seat.index);
        if seat.evicts {
            self.put(12, self.residual().max(before).to_le_bytes());
        }
        let generation = if anew || seat.newcomer { generation.wrapping_add(1) } else { generation };
        let at = HEAD + seat.index * WAY;
        self.put(at, fingerprint.to_le_bytes());
        self.put(at + 8, state.to_le_bytes());
        self.put(at + 16, generation.to_le_bytes());
        Way { fingerprint, state, generation }
    }
}

#[cfg(test)]
mod tests;
