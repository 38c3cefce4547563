//! A bounded cache of what bytes stand for, such as encoded peer metadata.

use super::interner::OTHER_ID;
use weir_model::SortedMap;

/// The numbers that were found for bytes which are costly to decode. It is emptied when it is full.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cache {
    entries: SortedMap<Vec<u8>, u32>,
    /// The length of all keys together.
    bytes: usize,
}

impl Cache {
    /// The most entries kept.
    const ENTRIES: usize = 512;
    /// The most bytes kept.
    const BYTES: usize = 1 << 18;
    /// The longest bytes kept.
    const LONGEST: usize = 8192;

    /// The number of `bytes`: from the cache, else from `read`.
    pub(crate) fn get_or(&mut self, bytes: &[u8], read: impl FnOnce() -> u32) -> u32 {
        if let Some(id) = self.entries.get(bytes) {
            return *id;
        }
        let id = read();
        if bytes.len() <= Self::LONGEST && id != OTHER_ID {
            if self.entries.len() >= Self::ENTRIES || self.bytes + bytes.len() > Self::BYTES {
                self.entries.clear();
                self.bytes = 0;
            }
            self.bytes += bytes.len();
            self.entries.insert(bytes.to_vec(), id);
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_cache_is_bounded_and_does_not_keep_what_found_no_room() {
        let mut cache = Cache::default();
        for round in 0..10_000u32 {
            cache.get_or(&round.to_le_bytes(), || 7);
            assert!(cache.entries.len() <= Cache::ENTRIES);
        }
        for round in 0..200u8 {
            cache.get_or(&vec![round; Cache::LONGEST], || 7);
            let kept: usize = cache.entries.keys().map(Vec::len).sum();
            assert!(kept == cache.bytes && kept <= Cache::BYTES);
        }
        assert_eq!(cache.get_or(b"full", || OTHER_ID), OTHER_ID);
        assert_eq!(cache.get_or(b"full", || 9), 9);
        assert_eq!(cache.get_or(b"full", || 10), 9);
        let long = vec![0; Cache::LONGEST + 1];
        assert_eq!((cache.get_or(&long, || 1), cache.get_or(&long, || 2)), (1, 2));
    }
}
