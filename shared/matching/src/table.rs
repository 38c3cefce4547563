//! A hash table from (tag, bytes) to a number, filled once and probed per request.
//!
//! The hash runs over a value byte by byte, so one pass over a path gives the hash of each of its prefixes: that is how
//! prefixes are found without a trie. Keys come from configuration, never from clients, so the hash needs no secret; a
//! probe ends at the first empty slot, of which at least half of the table consists.

/// A running hash (FNV-1a, 32 bits).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hash(u32);

impl Hash {
    /// Of no bytes.
    pub(crate) const EMPTY: Self = Self(0x811c_9dc5);

    /// With one more byte.
    pub(crate) fn with(self, byte: u8) -> Self {
        Self((self.0 ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    }

    /// Of `bytes`.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        bytes.iter().fold(Self::EMPTY, |hash, byte| hash.with(*byte))
    }
}

#[derive(Clone, Debug)]
struct Entry {
    tag: u32,
    key: Box<[u8]>,
    value: u32,
}

/// The table. Slots hold 0 for empty, else the number of an entry plus one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    slots: Vec<u32>,
    entries: Vec<Entry>,
}

impl Table {
    /// Adds a key that is not there yet.
    pub(crate) fn insert(&mut self, tag: u32, key: Box<[u8]>, value: u32) {
        self.entries.push(Entry { tag, key, value });
        let size = (self.entries.len() * 2 + 1).next_power_of_two();
        let fresh = if size > self.slots.len() {
            self.slots = vec![0; size];
            0
        } else {
            self.entries.len() - 1
        };
        for (entry, number) in self.entries.iter().skip(fresh).zip((1u32..).skip(fresh)) {
            let mut at = start(entry.tag, Hash::of(&entry.key), size);
            while self.slots.get(at).is_some_and(|slot| *slot != 0) {
                at = (at + 1) & (size - 1);
            }
            if let Some(slot) = self.slots.get_mut(at) {
                *slot = number;
            }
        }
    }

    /// The number of `key`, whose hash is `hash`.
    pub(crate) fn get(&self, tag: u32, hash: Hash, key: &[u8]) -> Option<u32> {
        let size = self.slots.len();
        if size == 0 {
            return None;
        }
        let mut at = start(tag, hash, size);
        loop {
            let number = usize::try_from(*self.slots.get(at)?).ok()?;
            let entry = self.entries.get(number.checked_sub(1)?)?;
            if entry.tag == tag && *entry.key == *key {
                return Some(entry.value);
            }
            at = (at + 1) & (size - 1);
        }
    }
}

/// Where a key's probe begins.
fn start(tag: u32, hash: Hash, size: usize) -> usize {
    let mixed = (hash.0 ^ tag.wrapping_mul(0x9e37_79b1)).wrapping_mul(0x85eb_ca6b);
    usize::try_from(mixed ^ (mixed >> 15)).unwrap_or(0) & (size - 1)
}

#[cfg(test)]
mod tests;
