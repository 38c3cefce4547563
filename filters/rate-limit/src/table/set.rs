//! One set of the table, which is an 8-way set-associative cache: the keys of a set share one cell of shared data, and each
//! takes one of its ways.
//!
//! Layout, little-endian: version `u8`, number of ways `u8`, two zero bytes; limit `u64`; evicted usage `u64`; then per way
//! an entry: fingerprint `u64`, usage `u64`, generation `u32`. A cell that is anything else, or belongs to another limit, is
//! replaced by an empty set.

use crate::algorithm::{Algorithm, Usage};
use crate::clock::Moment;

/// Ways of a set.
pub(crate) const WAYS: usize = 8;

/// The layout's version.
const VERSION: u8 = 1;

/// What a way holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The key; 0 where the way is empty.
    pub(crate) fingerprint: u64,
    /// Its usage.
    pub(crate) usage: Usage,
    /// Rises whenever usage starts from zero.
    pub(crate) generation: u32,
}

/// Where the limit, the evicted usage and the entries are, and the size of an entry.
const LIMIT: usize = 4;
const EVICTED: usize = 12;
const ENTRIES: usize = 20;
const ENTRY: usize = 20;

/// One set, as it is in its cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Set {
    bytes: [u8; ENTRIES + WAYS * ENTRY],
    ways: usize,
}

/// How a key gets its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// The way is its own already.
    Hit,
    /// The way is empty, or its entry has expired.
    Miss,
    /// The way holds outstanding usage of another key, which has to be evicted.
    Eviction,
}

/// The way for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lookup {
    /// Which way.
    pub(crate) way: usize,
    /// The usage that the key starts with.
    pub(crate) usage: Usage,
    /// How it gets the way.
    pub(crate) access: Access,
}

impl Set {
    /// An empty set of `ways` (at most eight) of a limit.
    pub(crate) fn new(limit: u64, ways: usize) -> Self {
        let mut set = Self { bytes: [0; ENTRIES + WAYS * ENTRY], ways: ways.clamp(1, WAYS) };
        set.put(0, [VERSION, u8::try_from(set.ways).unwrap_or(u8::MAX)]);
        set.put(LIMIT, limit.to_le_bytes());
        set
    }

    /// Reads a set of that limit and that many ways.
    pub(crate) fn decode(bytes: &[u8], limit: u64, ways: usize) -> Option<Self> {
        let mut set = Self::new(limit, ways);
        let own = set.bytes.get_mut(..ENTRIES + set.ways * ENTRY)?;
        if own.len() != bytes.len() || own.get(..EVICTED) != bytes.get(..EVICTED) {
            return None;
        }
        own.copy_from_slice(bytes);
        Some(set)
    }

    /// The bytes of the cell.
    pub(crate) fn encoded(&self) -> &[u8] {
        self.bytes.get(..ENTRIES + self.ways * ENTRY).unwrap_or_default()
    }

    /// The greatest usage that was ever evicted from this set.
    fn evicted(&self) -> Usage {
        Usage(u64::from_le_bytes(self.get(EVICTED)))
    }

    fn entries(&self) -> impl Iterator<Item = (usize, Entry)> {
        (0..self.ways).map(|way| (way, self.entry(way)))
    }

    fn entry(&self, way: usize) -> Entry {
        let at = ENTRIES + way * ENTRY;
        Entry {
            fingerprint: u64::from_le_bytes(self.get(at)),
            usage: Usage(u64::from_le_bytes(self.get(at + 8))),
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

    /// The way and the entry of a key.
    pub(crate) fn find(&self, fingerprint: u64) -> Option<(usize, Entry)> {
        self.entries().find(|(_, entry)| entry.fingerprint == fingerprint)
    }

    /// The key's own way, or the way with the least usage. A key that has no way starts with the greatest usage that was
    /// evicted from this set and has not expired, so that eviction is of no advantage to any key.
    pub(crate) fn lookup(&self, fingerprint: u64, algorithm: &Algorithm, now: Moment) -> Lookup {
        if let Some((way, entry)) = self.find(fingerprint) {
            return Lookup { way, usage: entry.usage, access: Access::Hit };
        }
        let (way, least) = match self.entries().min_by_key(|(_, entry)| entry.usage) {
            Some((way, entry)) => (way, entry.usage),
            None => (0, Usage::NONE),
        };
        let (access, evicted) = if algorithm.is_expired(least, now) {
            (Access::Miss, self.evicted())
        } else {
            (Access::Eviction, self.evicted().max(least))
        };
        let usage = if algorithm.is_expired(evicted, now) { Usage::NONE } else { evicted };
        Lookup { way, usage, access }
    }

    /// Writes the key's entry to its way. `restarted` says that earlier usage had expired. Returns the entry.
    pub(crate) fn write(&mut self, lookup: &Lookup, fingerprint: u64, usage: Usage, restarted: bool) -> Entry {
        if lookup.way >= self.ways {
            return Entry::default();
        }
        let before = self.entry(lookup.way);
        if lookup.access == Access::Eviction {
            self.put(EVICTED, self.evicted().max(before.usage).0.to_le_bytes());
        }
        let generation = match lookup.access {
            Access::Hit if !restarted => before.generation,
            Access::Hit | Access::Miss | Access::Eviction => before.generation.wrapping_add(1),
        };
        let at = ENTRIES + lookup.way * ENTRY;
        self.put(at, fingerprint.to_le_bytes());
        self.put(at + 8, usage.0.to_le_bytes());
        self.put(at + 16, generation.to_le_bytes());
        Entry { fingerprint, usage, generation }
    }
}

#[cfg(test)]
mod tests;
