//! The candidates of one request.

use super::{List, RuleIndex};
use crate::BitSet;
use crate::bits::{bit_of, word_of};
use crate::table::small;

/// No word was looked at yet.
const NOWHERE: (u32, u64) = (u32::MAX, 0);

/// The rules that a request may match. Kept between requests for its memory.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    /// The rules of short lists, as a bitmap, and which words of it are not zero.
    words: Vec<u64>,
    used: Vec<u32>,
    /// Which words have candidates, of short lists or of bitmaps.
    summary: Vec<u64>,
    /// Which lists are united already, and which bitmaps are excluded.
    lists: BitSet,
    united: BitSet,
    excluded: BitSet,
    /// The word looked at last: its number and its candidates.
    current: (u32, u64),
}

impl Candidates {
    /// Begins a request: the candidates are the rules that no key leads to.
    pub fn start(&mut self, index: &RuleIndex) {
        for word in self.used.drain(..) {
            if let Some(word) = usize::try_from(word).ok().and_then(|word| self.words.get_mut(word)) {
                *word = 0;
            }
        }
        if self.words.len() < index.words {
            self.words.resize(index.words, 0);
            self.used.reserve(index.words.min(16));
        }
        self.lists.start(index.few);
        self.united.start(index.bitmap_count);
        self.excluded.start(index.bitmap_count);
        self.summary.clear();
        self.summary.resize(index.words.div_ceil(64), 0);
        self.current = NOWHERE;
        if let Some(always) = index.always {
            self.unite(index, always);
        }
    }

    /// Adds the rules under a key that was hit, and leaves out those that it excludes. All keys are hit before
    /// [`Candidates::next`] is called.
    #[inline]
    pub fn hit(&mut self, index: &RuleIndex, key: u32) {
        match usize::try_from(key).ok().and_then(|key| index.posted.get(key)) {
            Some(List::Empty) | None => {}
            Some(List::One(rule)) => self.add(*rule),
            Some(List::Few { number, start, end }) => {
                if self.lists.insert(*number) {
                    index.few(*start, *end).iter().for_each(|rule| self.add(*rule));
                }
            }
            Some(List::Bitmap(number)) => self.unite(index, *number),
        }
        if !index.excluded.is_empty() {
            self.exclude(index, key);
        }
    }

    fn exclude(&mut self, index: &RuleIndex, key: u32) {
        if let Ok(place) = index.excluded.binary_search_by_key(&key, |(known, _)| *known)
            && let Some((_, number)) = index.excluded.get(place)
        {
            self.excluded.insert(*number);
        }
    }

    #[inline]
    fn add(&mut self, rule: u32) {
        let Some(word) = self.words.get_mut(word_of(rule)) else { return };
        if *word == 0 {
            self.used.push(rule / 64);
            if let Some(summary) = self.summary.get_mut(word_of(rule / 64)) {
                *summary |= bit_of(rule / 64);
            }
        }
        *word |= bit_of(rule);
    }

    fn unite(&mut self, index: &RuleIndex, bitmap: u32) {
        if self.united.insert(bitmap) {
            let used = index.used_words(bitmap);
            self.summary.iter_mut().zip(used).for_each(|(word, used)| *word |= used);
        }
    }

    /// The lowest candidate that is at least `from`. Ask with rising numbers.
    #[inline]
    pub fn next(&mut self, index: &RuleIndex, from: u32) -> Option<u32> {
        let (number, candidates) = self.current;
        let mut word = from / 64;
        let mut wanted = u64::MAX << (from % 64);
        if number == word {
            let found = candidates & wanted;
            if found != 0 {
                return Some(number * 64 + found.trailing_zeros());
            }
            word += 1;
            wanted = u64::MAX;
        }
        self.find(index, word, wanted)
    }

    /// The lowest candidate from a word on, of which only some are wanted.
    fn find(&mut self, index: &RuleIndex, word: u32, wanted: u64) -> Option<u32> {
        let mut place = word_of(word);
        let mut words = u64::MAX << (word % 64);
        loop {
            let mut used = self.summary.get(place)? & words;
            while used != 0 {
                let number = small(place) * 64 + used.trailing_zeros();
                let candidates = self.word(index, usize::try_from(number).ok()?);
                let found = if number == word { candidates & wanted } else { candidates };
                if found != 0 {
                    self.current = (number, candidates);
                    return Some(number * 64 + found.trailing_zeros());
                }
                used &= used - 1;
            }
            place += 1;
            words = u64::MAX;
        }
    }

    /// The candidates among the 64 rules of a word.
    #[inline]
    fn word(&self, index: &RuleIndex, place: usize) -> u64 {
        let mut candidates = self.words.get(place).copied().unwrap_or(0);
        for bitmap in self.united.members() {
            candidates |= index.word(*bitmap, place);
        }
        for bitmap in self.excluded.members() {
            candidates &= !index.word(*bitmap, place);
        }
        candidates
    }
}
