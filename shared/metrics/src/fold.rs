//! A bound on the distinct values of one label.

use weir_model::SortedSet;

/// The label value that stands for all values that were not admitted.
pub const OTHER: &str = "other";

/// Admits the first so many distinct values of a label; the rest are to be written as [`OTHER`].
#[derive(Clone, Debug)]
pub struct Fold {
    seen: SortedSet<Box<[u8]>>,
    limit: usize,
}

impl Fold {
    /// The most bytes by which values are compared; as many as reach a stat name.
    pub const COMPARED: usize = crate::VALUE_BYTES;

    /// At most `limit` distinct values.
    pub fn new(limit: usize) -> Self {
        Self { seen: SortedSet::new(), limit }
    }

    /// The value itself if it is known, is [`OTHER`], or there is room for one more, else [`OTHER`].
    pub fn admit<'v>(&mut self, value: &'v [u8]) -> &'v [u8] {
        let kept = value.get(..Self::COMPARED).unwrap_or(value);
        if self.seen.contains(kept) || kept == OTHER.as_bytes() {
            return kept;
        }
        if self.seen.len() >= self.limit {
            return OTHER.as_bytes();
        }
        self.seen.insert(kept.into());
        kept
    }

    /// How many values are admitted.
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether no value is admitted yet.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_first_values_stay_and_the_rest_are_other() {
        let mut fold = Fold::new(2);
        let seen: Vec<&[u8]> =
            ["a", "b", "c", "a", "d", "b"].iter().map(|value| fold.admit(value.as_bytes())).collect();
        assert_eq!(seen, ["a", "b", "other", "a", "other", "b"].map(str::as_bytes));
        assert_eq!(Fold::new(0).admit(b"x"), b"other");
        let long = vec![b'x'; 10_000];
        assert_eq!(Fold::new(1).admit(&long).len(), Fold::COMPARED);
    }
}
