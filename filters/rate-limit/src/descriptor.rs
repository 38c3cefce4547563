//! The descriptors of one request, in buffers that are kept from request to request.

use std::ops::Range;

/// One `key: value` of a descriptor, as places in the buffer.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    key: Range<usize>,
    value: Range<usize>,
}

/// One descriptor: its entries in order, and how much a request counts.
#[derive(Clone, Debug)]
pub(crate) struct Descriptor {
    entries: Range<usize>,
    /// What this request adds to the limit; 0 only asks.
    pub(crate) hits: u64,
}

/// All descriptors of one request.
#[derive(Debug, Default)]
pub(crate) struct Descriptors {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    list: Vec<Descriptor>,
}

impl Descriptors {
    /// Forgets everything and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.list.clear();
    }

    /// Appends an entry whose value `write` appends; no entry if `write` returns `false`, which is returned.
    pub(crate) fn entry(&mut self, key: &[u8], write: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        let middle = self.bytes.len();
        if !write(&mut self.bytes) {
            self.bytes.truncate(start);
            return false;
        }
        self.entries.push(Entry { key: start..middle, value: middle..self.bytes.len() });
        true
    }

    /// Where the next descriptor's entries begin.
    pub(crate) fn mark(&self) -> usize {
        self.entries.len()
    }

    /// Makes the entries since `mark` a descriptor.
    pub(crate) fn keep(&mut self, mark: usize, hits: u64) {
        self.list.push(Descriptor { entries: mark..self.entries.len(), hits });
    }

    /// Drops the entries since `mark`.
    pub(crate) fn abandon(&mut self, mark: usize) {
        self.entries.truncate(mark);
    }

    /// The descriptors in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Descriptor> {
        self.list.iter()
    }

    /// The entries of one descriptor.
    pub(crate) fn entries(&self, descriptor: &Descriptor) -> &[Entry] {
        self.entries.get(descriptor.entries.clone()).unwrap_or_default()
    }

    /// Key and value of an entry.
    pub(crate) fn pair(&self, entry: &Entry) -> (&[u8], &[u8]) {
        let part = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        (part(&entry.key), part(&entry.value))
    }
}
