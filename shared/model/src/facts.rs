//! What a phase gets to read: header maps in place, and attribute values, all of them bytes.

use crate::{Attribute, BUILTIN_ATTRIBUTES};
use std::ops::Range;

/// Everything the demand of the current phase asked for. What was not demanded is absent.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Request headers, pseudo-headers included.
    pub request_headers: Headers<'a>,
    /// Response headers, `:status` included.
    pub response_headers: Headers<'a>,
    /// Response trailers.
    pub response_trailers: Headers<'a>,
    /// Attributes.
    pub attributes: &'a Attributes,
}

/// A header map in proxy-wasm's pairs encoding, read in place: `u32 n; n * (u32 key, u32 value)`, then each key and
/// each value followed by a NUL, all little-endian. Damaged bytes read as an empty map.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    bytes: &'a [u8],
    count: usize,
}

impl<'a> Headers<'a> {
    /// Views `bytes` as a header map. Lengths that do not add up give an empty map.
    pub fn new(bytes: &'a [u8]) -> Self {
        let Some(count) = read_u32(bytes, 0) else {
            return Self::default();
        };
        let Some(table) = count.checked_mul(8).and_then(|n| n.checked_add(4)) else {
            return Self::default();
        };
        if table > bytes.len() {
            return Self::default();
        }
        Self { bytes, count }
    }

    /// The encoded map.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Number of entries; a repeated name counts each time.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether the map has no entry.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All entries in order. Names are as Envoy keeps them: lower case.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let bytes = self.bytes;
        self.spans().map_while(move |(key, value)| Some((bytes.get(key)?, bytes.get(value)?)))
    }

    /// Where in the bytes each entry's name and value lie.
    pub fn spans(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + use<'a> {
        let len = self.bytes.len();
        let mut data = 4 + 8 * self.count;
        let table = self.bytes.get(4..data).unwrap_or_default();
        table.as_chunks::<8>().0.iter().map_while(move |[a, b, c, d, e, f, g, h]| {
            let key_end = data.checked_add(length([*a, *b, *c, *d])?)?;
            let value_start = key_end.checked_add(1)?;
            let value_end = value_start.checked_add(length([*e, *f, *g, *h])?)?;
            if value_end > len {
                return None;
            }
            let entry = (data..key_end, value_start..value_end);
            data = value_end + 1;
            Some(entry)
        })
    }

    /// Every value of `name` (lower case), in order.
    pub fn all<'n>(&self, name: &'n [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.iter().filter(move |(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The first value of `name` (lower case).
    pub fn first(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.all(name).next()
    }
}

fn read_u32(bytes: &[u8], at: usize) -> Option<usize> {
    length(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?)
}

fn length(word: [u8; 4]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(word)).ok()
}

/// Builds the pairs encoding that [`Headers`] reads.
#[derive(Clone, Debug, Default)]
pub struct PairsBuilder {
    lengths: Vec<u8>,
    data: Vec<u8>,
    count: u32,
}

impl PairsBuilder {
    /// Adds an entry; one whose length does not fit 32 bits is left out.
    pub fn push(&mut self, key: &[u8], value: &[u8]) -> &mut Self {
        let (Ok(key_len), Ok(value_len)) = (u32::try_from(key.len()), u32::try_from(value.len())) else {
            return self;
        };
        self.lengths.extend_from_slice(&key_len.to_le_bytes());
        self.lengths.extend_from_slice(&value_len.to_le_bytes());
        self.data.extend_from_slice(key);
        self.data.push(0);
        self.data.extend_from_slice(value);
        self.data.push(0);
        self.count += 1;
        self
    }

    /// The encoded map.
    pub fn finish(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 + self.lengths.len() + self.data.len());
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.lengths);
        out.extend_from_slice(&self.data);
        out
    }
}

/// Zero and one, as integers. The offset of a value in this counts from [`SMALL`].
const BITS: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
const SMALL: u32 = 1 << 31;

/// The offset of a named value that could not be handed over: beyond every buffer.
const UNREADABLE: u32 = u32::MAX;

/// Every slot has a bit.
const _: () = assert!(BUILTIN_ATTRIBUTES <= 64);

/// Attribute values of one phase: one buffer, and where in it each value is. Reused between streams.
#[derive(Clone, Debug)]
pub struct Attributes {
    buffer: Vec<u8>,
    /// Offset and length of the value of each slot, if its bit in `present` is set.
    builtin: [(u32, u32); BUILTIN_ATTRIBUTES],
    present: u64,
    /// The bits of those that the host could not hand over.
    unreadable: u64,
    named: Vec<(Box<str>, u32, u32)>,
}

impl Default for Attributes {
    fn default() -> Self {
        Self { buffer: Vec::new(), builtin: [(0, 0); BUILTIN_ATTRIBUTES], present: 0, unreadable: 0, named: Vec::new() }
    }
}

impl Attributes {
    /// Forgets all values and keeps the memory.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.present = 0;
        self.named.clear();
        self.unreadable = 0;
    }

    /// How many bytes the values take.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether no value takes any byte.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Says that the host has a value and could not hand it over. It then reads as absent everywhere but in
    /// [`Attributes::is_unreadable`].
    pub fn set_unreadable(&mut self, attribute: &Attribute) {
        match attribute.slot() {
            Some(slot) => self.unreadable |= 1 << slot,
            None => self.put_named(attribute, UNREADABLE, 0),
        }
    }

    /// Whether there is a value that the host could not hand over: a decision that needs it is a guess.
    pub fn is_unreadable(&self, attribute: &Attribute) -> bool {
        match (attribute.slot(), attribute) {
            (Some(slot), _) => self.unreadable & (1 << slot) != 0,
            (None, Attribute::FilterState(name)) => {
                self.named.iter().any(|(key, start, _)| key == name && *start == UNREADABLE)
            }
            (None, _) => false,
        }
    }

    /// Sets one value, in the encoding of [`Attribute`].
    pub fn set(&mut self, attribute: &Attribute, value: &[u8]) {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(value);
        self.set_range(attribute, start, value.len());
    }

    #[inline]
    fn put(&mut self, attribute: &Attribute, start: u32, len: u32) {
        match attribute.slot() {
            Some(slot) => {
                if let Some(range) = self.builtin.get_mut(slot) {
                    *range = (start, len);
                    self.present |= 1 << slot;
                }
            }
            None => self.put_named(attribute, start, len),
        }
    }

    fn put_named(&mut self, attribute: &Attribute, start: u32, len: u32) {
        let Attribute::FilterState(name) = attribute else { return };
        self.named.retain(|(key, _, _)| key != name);
        self.named.push((name.clone(), start, len));
    }

    /// Takes over the block of bytes in which [`Attributes::set_range`] said that values lie. What was set before it with
    /// [`Attributes::set`] is gone, but for booleans, zero and one.
    pub fn adopt(&mut self, block: Box<[u8]>) {
        self.buffer = block.into_vec();
    }

    /// Says where in a block one value is. A range that leaves the block reads as absent.
    #[inline]
    pub fn set_range(&mut self, attribute: &Attribute, start: usize, len: usize) {
        if let (Ok(start), Ok(len)) = (u32::try_from(start), u32::try_from(len))
            && start < SMALL
        {
            self.put(attribute, start, len);
        }
    }

    /// Sets an integer.
    pub fn set_int(&mut self, attribute: &Attribute, value: i64) {
        match value {
            0 => self.put(attribute, SMALL, 8),
            1 => self.put(attribute, SMALL + 8, 8),
            _ => self.set(attribute, &value.to_le_bytes()),
        }
    }

    /// Sets a boolean.
    pub fn set_bool(&mut self, attribute: &Attribute, value: bool) {
        self.put(attribute, if value { SMALL + 8 } else { SMALL }, 1);
    }

    /// The value as bytes; `None` when absent or not demanded.
    #[inline]
    pub fn bytes(&self, attribute: &Attribute) -> Option<&[u8]> {
        match attribute.slot() {
            Some(slot) if self.present & (1 << slot) != 0 => self.range(*self.builtin.get(slot)?),
            Some(_) => None,
            None => self.named(attribute),
        }
    }

    fn named(&self, attribute: &Attribute) -> Option<&[u8]> {
        let Attribute::FilterState(name) = attribute else { return None };
        let (_, start, len) = self.named.iter().find(|(key, _, _)| key == name)?;
        self.range((*start, *len))
    }

    /// The bytes of a value by its offset and length.
    fn range(&self, (start, len): (u32, u32)) -> Option<&[u8]> {
        let (bytes, start) = match start.checked_sub(SMALL) {
            Some(start) => (BITS.as_slice(), start),
            None => (self.buffer.as_slice(), start),
        };
        let start = usize::try_from(start).ok()?;
        let len = usize::try_from(len).ok()?;
        bytes.get(start..start.checked_add(len)?)
    }

    /// The value as an integer (also durations and timestamps, in nanoseconds).
    #[inline]
    pub fn int(&self, attribute: &Attribute) -> Option<i64> {
        Some(i64::from_le_bytes(self.bytes(attribute)?.try_into().ok()?))
    }

    /// The value as a boolean.
    #[inline]
    pub fn bool(&self, attribute: &Attribute) -> Option<bool> {
        match self.bytes(attribute)? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
