//! The candidates of one request.

use super::{List, RuleIndex};
use crate::BitSet;
use crate::bits::{bit_of, word_of};

/// The rules that a request may match. Kept between requests for its memory.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    /// The rules of short lists, as a bitmap, and which words of it are not zero.
    words: Vec<u64>,
    used: BitSet,
    /// Which words have candidates, of short lists or of bitmaps.
    summary: Vec<u64>,
    /// Which short lists are united already.
    lists: BitSet,
    /// Bitmaps that are united, and bitmaps that are excluded, when a word is looked at.
    bitmaps: BitSet,
    excluded: BitSet,
    /// The word looked at last: its number and its candidates.
    current: Option<(u32, u64)>,
}

impl Candidates {
    /// Begins a request: the candidates are the rules that no key leads to.
    pub fn start(&mut self, index: &RuleIndex) {
        for word in self.used.members() {
            if let Some(word) = usize::try_from(*word).ok().and_then(|word| self.words.get_mut(word)) {
                *word = 0;
            }
        }
        self.used.start(index.words);
        self.lists.start(index.few);
        if self.words.len() < index.words {
            self.words.resize(index.words, 0);
        }
        self.summary.clear();
        self.summary.resize(index.words.div_ceil(64), 0);
        self.bitmaps.start(index.bitmap_count);
        self.excluded.start(index.bitmap_count);
        self.current = None;
        if let Some(always) = index.always {
            self.unite(index, always);
        }
    }

    /// Adds the rules under a key that was hit, and leaves out those that it excludes. All keys are hit before
    /// [`Candidates::next`] is called.
    pub fn hit(&mut self, index: &RuleIndex, key: u32) {
        match usize::try_from(key).ok().and_then(|key| index.posted.get(key)).copied().unwrap_or_default() {
            List::Empty => {}
            List::One(rule) => self.add(rule),
            List::Few { number, start, end } => {
                if self.lists.insert(number) {
                    index.few(start, end).iter().for_each(|rule| self.add(*rule));
                }
            }
            List::Bitmap(number) => self.unite(index, number),
        }
        if let Ok(place) = index.excluded.binary_search_by_key(&key, |(known, _)| *known)
            && let Some((_, number)) = index.excluded.get(place)
        {
            self.excluded.insert(*number);
        }
    }

    fn add(&mut self, rule: u32) {
        let number = rule / 64;
        if let Some(word) = self.words.get_mut(word_of(rule)) {
            *word |= bit_of(rule);
            if self.used.insert(number)
                && let Some(summary) = self.summary.get_mut(word_of(number))
            {
                *summary |= bit_of(number);
            }
        }
    }

    fn unite(&mut self, index: &RuleIndex, bitmap: u32) {
        if !self.bitmaps.insert(bitmap) {
            return;
        }
        let (_, used) = index.bitmap(bitmap);
        self.summary.iter_mut().zip(used).for_each(|(word, used)| *word |= used);
    }

    /// The lowest candidate that is at least `from`.
    pub fn next(&mut self, index: &RuleIndex, from: u32) -> Option<u32> {
        let mut from = from;
        loop {
            let number = self.next_word(from / 64)?;
            let wanted = if number == from / 64 { u64::MAX << (from % 64) } else { u64::MAX };
            let found = self.word(index, number) & wanted;
            if found != 0 {
                return Some(number * 64 + found.trailing_zeros());
            }
            from = (number + 1) * 64;
        }
    }

    /// The first word from `number` on that may have candidates.
    fn next_word(&self, number: u32) -> Option<u32> {
        let mut wanted = u64::MAX << (number % 64);
        for (summary, first) in self.summary.iter().zip((0u32..).step_by(64)).skip(word_of(number)) {
            if summary & wanted != 0 {
                return Some(first + (summary & wanted).trailing_zeros());
            }
            wanted = u64::MAX;
        }
        None
    }

    /// The candidates among the 64 rules of a word.
    fn word(&mut self, index: &RuleIndex, number: u32) -> u64 {
        if let Some((_, candidates)) = self.current.filter(|(known, _)| *known == number) {
            return candidates;
        }
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        let of = |bitmap: &u32| index.bitmap(*bitmap).0.get(place).copied().unwrap_or(0);
        let listed = self.words.get(place).copied().unwrap_or(0);
        let united = self.bitmaps.members().iter().fold(listed, |word, bitmap| word | of(bitmap));
        let candidates = self.excluded.members().iter().fold(united, |word, bitmap| word & !of(bitmap));
        self.current = Some((number, candidates));
        candidates
    }
}
