//! A hash table from (tag, bytes) to a number, filled once and probed per request.
//!
//! The hash runs over a value byte by byte, so one pass over a path gives the hash of each of its beginnings, and a pass
//! from the end that of each of its ends: that is how prefixes and suffixes are found without a trie. Keys come from
//! configuration, never from clients, so the hash needs no secret; a probe ends at the first empty slot, of which at least
//! half of the table consists.

use crate::sort::sort;

/// A running hash (FNV-1a, 32 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hash(u32);

impl Hash {
    /// Of no bytes.
    pub(crate) const EMPTY: Self = Self(0x811c_9dc5);

    /// With one more byte.
    #[inline]
    pub(crate) fn with(self, byte: u8) -> Self {
        Self((self.0 ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    }

    /// Of `bytes`.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        bytes.iter().fold(Self::EMPTY, |hash, byte| hash.with(*byte))
    }

    /// Of `bytes`, from the last to the first.
    pub(crate) fn of_reversed(bytes: &[u8]) -> Self {
        bytes.iter().rev().fold(Self::EMPTY, |hash, byte| hash.with(*byte))
    }
}

/// From which end keys of different lengths share their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Prefixes.
    Start,
    /// Suffixes.
    End,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    tag: u32,
    hash: Hash,
    /// Where the key lies in the pool.
    start: u32,
    length: u32,
    /// How many bytes the longest other key of the tag has that is a prefix (or suffix) of this one; 0 without one.
    shorter: u32,
    value: u32,
}

/// The table. Slots hold 0 for empty, else the number of an entry plus one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    slots: Vec<u32>,
    entries: Vec<Entry>,
    /// The bytes of all keys.
    keys: Vec<u8>,
}

impl Table {
    /// Adds a key that is not there yet.
    pub(crate) fn insert(&mut self, tag: u32, hash: Hash, key: &[u8], value: u32) {
        let start = small(self.keys.len());
        self.keys.extend_from_slice(key);
        self.entries.push(Entry { tag, hash, start, length: small(key.len()), shorter: 0, value });
        let size = (self.entries.len() * 2 + 1).next_power_of_two();
        let fresh = if size > self.slots.len() {
            self.slots.clear();
            self.slots.resize(size, 0);
            0
        } else {
            self.entries.len() - 1
        };
        for (entry, number) in self.entries.iter().skip(fresh).zip((1u32..).skip(fresh)) {
            let mut at = first_slot(entry.tag, entry.hash, size);
            while self.slots.get(at).is_some_and(|slot| *slot != 0) {
                at = (at + 1) & (size - 1);
            }
            if let Some(slot) = self.slots.get_mut(at) {
                *slot = number;
            }
        }
    }

    /// The number of `key`; `next` from now on if it is not there yet.
    pub(crate) fn intern(&mut self, tag: u32, hash: Hash, key: &[u8], next: u32) -> u32 {
        if let Some(known) = self.get(tag, hash, key) {
            return known;
        }
        self.insert(tag, hash, key, next);
        next
    }

    /// The number of `key`, whose hash is `hash`.
    pub(crate) fn get(&self, tag: u32, hash: Hash, key: &[u8]) -> Option<u32> {
        let entry = self.find(tag, hash, key.len(), |_, found| found == key)?;
        self.entries.get(entry).map(|entry| entry.value)
    }

    /// Calls `found` with the number and the length of each key of `tag` that `value` begins (or ends) with. `lengths` are those of the
    /// tag's keys, ascending. Every byte of the value is compared at most twice, however many keys there are.
    pub(crate) fn find_all(
        &self,
        tag: u32,
        side: Side,
        lengths: &[u32],
        value: &[u8],
        found: &mut impl FnMut(u32, usize),
    ) {
        self.walk(tag, side, lengths, value, |entry| found(entry.value, usize::try_from(entry.length).unwrap_or(0)));
    }

    fn walk(&self, tag: u32, side: Side, lengths: &[u32], value: &[u8], mut found: impl FnMut(&Entry)) {
        let (mut hash, mut hashed, mut matched) = (Hash::EMPTY, 0usize, 0u32);
        for length in lengths {
            let Ok(wanted) = usize::try_from(*length) else { return };
            let Some(piece) = piece(side, value, hashed, wanted) else { return };
            hash = match side {
                Side::Start => piece.iter().fold(hash, |hash, byte| hash.with(*byte)),
                Side::End => piece.iter().rev().fold(hash, |hash, byte| hash.with(*byte)),
            };
            hashed = wanted;
            let Ok(known) = usize::try_from(matched) else { return };
            // A key that the value begins with begins with the longest shorter one that the value begins with. So what
            // that one has matched already is not compared again.
            let entry = self.find(tag, hash, wanted, |entry, key| {
                entry.shorter == matched && piece_of(side, key, known) == self::piece(side, value, known, wanted)
            });
            if let Some(entry) = entry.and_then(|entry| self.entries.get(entry)) {
                matched = *length;
                found(entry);
            }
        }
    }

    /// Notes for each key which shorter one of its tag it begins (or ends) with; [`Table::find_all`] relies on it.
    /// `lengths_of` says from which end the keys of a tag share bytes and which lengths they have, ascending.
    #[inline(never)]
    pub(crate) fn link<'l>(&mut self, lengths_of: impl Fn(u32) -> Option<(Side, &'l [u32])>) {
        let mut order: Vec<(u32, u32)> = Vec::new();
        for (entry, number) in self.entries.iter().zip(0u32..) {
            // Where all lengths are the same nothing is shorter.
            if lengths_of(entry.tag)
                .is_some_and(|(_, lengths)| lengths.first().is_some_and(|least| *least < entry.length))
            {
                order.push((entry.length, number));
            }
        }
        sort(&mut order);
        for (length, number) in order {
            let Ok(number) = usize::try_from(number) else { continue };
            let Some(entry) = self.entries.get(number) else { continue };
            let Some((side, lengths)) = lengths_of(entry.tag) else { continue };
            let below = lengths.get(..lengths.partition_point(|known| *known < length)).unwrap_or_default();
            let mut shorter = 0;
            self.walk(entry.tag, side, below, self.key(entry), |found| shorter = found.length);
            if let Some(entry) = self.entries.get_mut(number) {
                entry.shorter = shorter;
            }
        }
    }

    fn key(&self, entry: &Entry) -> &[u8] {
        let range = usize::try_from(entry.start).ok().zip(usize::try_from(entry.length).ok());
        range.and_then(|(start, length)| self.keys.get(start..start.checked_add(length)?)).unwrap_or_default()
    }

    fn find(&self, tag: u32, hash: Hash, length: usize, is_key: impl Fn(&Entry, &[u8]) -> bool) -> Option<usize> {
        let size = self.slots.len();
        if size == 0 {
            return None;
        }
        let mut at = first_slot(tag, hash, size);
        loop {
            let number = usize::try_from(*self.slots.get(at)?).ok()?.checked_sub(1)?;
            let entry = self.entries.get(number)?;
            if entry.hash == hash && entry.tag == tag {
                let key = self.key(entry);
                if key.len() == length && is_key(entry, key) {
                    return Some(number);
                }
            }
            at = (at + 1) & (size - 1);
        }
    }
}

/// What the first (or last) `to` bytes of `value` have more than the first (or last) `from`; `None` if it is shorter.
fn piece(side: Side, value: &[u8], from: usize, to: usize) -> Option<&[u8]> {
    match side {
        Side::Start => value.get(from..to),
        Side::End => value.get(value.len().checked_sub(to)?..value.len().checked_sub(from)?),
    }
}

/// What a whole key has more than its first (or last) `from` bytes.
fn piece_of(side: Side, key: &[u8], from: usize) -> Option<&[u8]> {
    piece(side, key, from, key.len())
}

/// Where a key's probe begins.
fn first_slot(tag: u32, hash: Hash, size: usize) -> usize {
    let mixed = (hash.0 ^ tag.wrapping_mul(0x9e37_79b1)).wrapping_mul(0x85eb_ca6b);
    usize::try_from(mixed ^ (mixed >> 15)).unwrap_or(0) & (size - 1)
}

/// Counts stay far below 2^32: a configuration is at most some megabytes.
pub(crate) fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
