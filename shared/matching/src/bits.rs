//! A set of small numbers that is filled and emptied once for each request.

/// A bitmap that also lists its members, so that emptying it costs as much as filling it did, however large the numbers.
#[derive(Clone, Debug, Default)]
pub struct BitSet {
    words: Vec<u64>,
    members: Vec<u32>,
}

impl BitSet {
    /// Empties the set and makes room for the numbers below `end`; others are never members.
    #[inline]
    pub fn start(&mut self, end: usize) {
        if !self.members.is_empty() {
            self.clear();
        }
        if self.words.len() < end.div_ceil(64) {
            self.make_room(end);
        }
    }

    fn make_room(&mut self, end: usize) {
        self.words.resize(end.div_ceil(64), 0);
        self.members.reserve(end.min(16));
    }

    fn clear(&mut self) {
        for member in &self.members {
            if let Some(word) = self.words.get_mut(word_of(*member)) {
                *word = 0;
            }
        }
        self.members.clear();
    }

    /// Adds `number`; whether it was not there.
    #[inline]
    pub fn insert(&mut self, number: u32) -> bool {
        let Some(word) = self.words.get_mut(word_of(number)) else { return false };
        if *word & bit_of(number) != 0 {
            return false;
        }
        *word |= bit_of(number);
        self.members.push(number);
        true
    }

    /// Takes `number` out.
    pub fn remove(&mut self, number: u32) {
        self.members.retain(|member| *member != number);
        if let Some(word) = self.words.get_mut(word_of(number)) {
            *word &= !bit_of(number);
        }
    }

    /// Takes out all but the first `count` members.
    pub fn truncate(&mut self, count: usize) {
        for number in self.members.drain(count.min(self.members.len())..) {
            if let Some(word) = self.words.get_mut(word_of(number)) {
                *word &= !bit_of(number);
            }
        }
    }

    /// Whether `number` is a member.
    #[inline]
    pub fn contains(&self, number: u32) -> bool {
        self.words.get(word_of(number)).is_some_and(|word| *word & bit_of(number) != 0)
    }

    /// The members, in the order in which they came.
    pub fn members(&self) -> &[u32] {
        &self.members
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

/// The word of a bitmap that has the bit of `number`.
pub(crate) fn word_of(number: u32) -> usize {
    usize::try_from(number / 64).unwrap_or(usize::MAX)
}

/// The bit of `number` in its word.
pub(crate) fn bit_of(number: u32) -> u64 {
    1 << (number % 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn holds_what_came_since_the_start() {
        let mut set = BitSet::default();
        assert!(!set.insert(0), "there is room for nothing yet");
        set.start(130);
        assert!(set.insert(129) && set.insert(0) && !set.insert(129));
        assert!(set.contains(0) && set.contains(129) && !set.contains(1) && !set.contains(1000));
        assert_eq!(set.members(), [129, 0]);
        set.insert(7);
        set.remove(129);
        set.remove(1);
        assert!(!set.contains(129) && set.contains(0) && set.insert(129));
        assert_eq!(set.members(), [0, 7, 129]);
        set.start(10);
        assert!(set.is_empty() && !set.contains(0) && !set.contains(129));
    }

    #[test]
    fn what_came_last_can_be_taken_out() {
        let mut set = BitSet::default();
        set.start(130);
        assert_eq!([7, 128, 8, 129, 8].map(|number| set.insert(number)), [true, true, true, true, false]);
        set.truncate(5);
        assert_eq!(set.members(), [7, 128, 8, 129]);
        set.truncate(2);
        assert_eq!((set.members(), set.contains(8), set.contains(129)), (&[7, 128][..], false, false));
        assert!(set.contains(128) && set.insert(8) && !set.insert(7));
    }
}
