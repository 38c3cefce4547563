//! Which of many rules can match, by the patterns that a request's values match.
//!
//! Rules are numbered by the caller in the order in which they are tried. Each is *posted* under patterns of which one
//! must be hit for it to match at all; a rule without such patterns is always a candidate. A rule may also be *excluded*
//! by patterns of which none may be hit. The candidates of a request are a bitmap over the rule numbers: the lists of the
//! patterns that were hit, united, without those that they exclude. Equal lists are kept once, and a list is united once
//! however many of its patterns were hit. A long list is a bitmap itself, of which only the words that are looked at are
//! united; so finding the first candidate of ten thousand rules costs no more than finding that of ten.

mod candidates;

pub use candidates::Candidates;

use crate::bits::{bit_of, word_of};
use crate::table::{Hash, Table, small};

/// The rules under one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum List {
    #[default]
    Empty,
    One(u32),
    /// A few: a range of the pool. Equal ones have one number.
    Few {
        number: u32,
        start: u32,
        end: u32,
    },
    /// A bitmap, by its number.
    Bitmap(u32),
}

/// Rule numbers under keys while they are collected.
#[derive(Clone, Debug, Default)]
pub struct Postings(Vec<(u32, u32)>);

impl Postings {
    /// Puts `rule` under `key`.
    pub fn add(&mut self, key: u32, rule: u32) {
        self.0.push((key, rule));
    }

    /// Calls `then` with each key and its rules, both ascending, each rule once.
    fn each(mut self, mut then: impl FnMut(u32, &[u32])) {
        crate::sort(&mut self.0);
        self.0.dedup();
        let mut rules = Vec::new();
        for same in self.0.chunk_by(|a, b| a.0 == b.0) {
            rules.clear();
            rules.extend(same.iter().map(|(_, rule)| *rule));
            same.first().into_iter().for_each(|(key, _)| then(*key, &rules));
        }
    }
}

/// What an index is made of.
#[derive(Clone, Debug, Default)]
pub struct RuleKeys {
    /// How many rules there are.
    pub rules: usize,
    /// How many keys there are: pattern numbers, and other numbers that the caller maps to rules.
    pub keys: usize,
    /// Which rules are candidates if a key is hit.
    pub posted: Postings,
    /// Which rules cannot match if a key is hit.
    pub excluded: Postings,
    /// Rules that are candidates of every request, ascending.
    pub always: Vec<u32>,
}

/// The index.
#[derive(Clone, Debug)]
pub struct RuleIndex {
    /// By key.
    posted: Box<[List]>,
    /// Keys that exclude many rules, ascending, each with the number of a bitmap.
    excluded: Box<[(u32, u32)]>,
    pool: Box<[u32]>,
    /// Bitmaps of `words` words, each followed by the bitmap of those of its words that are not zero.
    bitmaps: Box<[u64]>,
    words: usize,
    /// How many different short lists, and bitmaps, there are.
    few: usize,
    bitmap_count: usize,
    unposted: usize,
    always: Option<u32>,
}

impl RuleIndex {
    /// Builds the index.
    #[inline(never)]
    pub fn new(keys: RuleKeys) -> Self {
        let RuleKeys { rules, keys, posted, excluded, always } = keys;
        let mut lists = Lists { words: rules.div_ceil(64), ..Lists::default() };
        let mut by_key = vec![List::Empty; keys];
        posted.each(|key, rules| {
            let list = lists.add(rules);
            if let Some(place) = usize::try_from(key).ok().and_then(|key| by_key.get_mut(key)) {
                *place = list;
            }
        });
        // Where a key excludes only a few rules, those are soon tried.
        let mut excluding = Vec::new();
        excluded.each(|key, rules| {
            if lists.is_long(rules) {
                excluding.push((key, lists.bitmap(rules)));
            }
        });
        let unposted = always.len();
        let always = (unposted > 0).then(|| lists.bitmap(&always));
        let Lists { words, few, bitmap_count, pool, bitmaps, .. } = lists;
        Self {
            posted: by_key.into(),
            excluded: excluding.into(),
            pool: pool.into(),
            bitmaps: bitmaps.into(),
            words,
            few: usize::try_from(few).unwrap_or(0),
            bitmap_count: usize::try_from(bitmap_count).unwrap_or(0),
            unposted,
            always,
        }
    }

    /// How many rules are candidates of every request because no key leads to them.
    pub fn unposted(&self) -> usize {
        self.unposted
    }

    /// Whether a hit of `key` leaves rules out. Where it would leave out only a few, it does not: those are soon tried.
    pub fn excludes(&self, key: u32) -> bool {
        self.excluded.binary_search_by_key(&key, |(known, _)| *known).is_ok()
    }

    fn few(&self, start: u32, end: u32) -> &[u32] {
        let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        range.and_then(|(start, end)| self.pool.get(start..end)).unwrap_or_default()
    }

    /// One word of a bitmap.
    #[inline]
    fn word(&self, bitmap: u32, place: usize) -> u64 {
        let start = usize::try_from(bitmap).unwrap_or(usize::MAX).saturating_mul(self.words + self.words.div_ceil(64));
        self.bitmaps.get(start.saturating_add(place)).copied().unwrap_or(0)
    }

    /// Which words of a bitmap are not zero, itself a bitmap.
    fn used_words(&self, bitmap: u32) -> &[u64] {
        let (words, used) = (self.words, self.words.div_ceil(64));
        let start = usize::try_from(bitmap).unwrap_or(usize::MAX).saturating_mul(words + used).saturating_add(words);
        self.bitmaps.get(start..start.saturating_add(used)).unwrap_or_default()
    }
}

/// Lists while they grow.
#[derive(Default)]
struct Lists {
    words: usize,
    few: u32,
    bitmap_count: u32,
    pool: Vec<u32>,
    bitmaps: Vec<u64>,
    /// Short lists and bitmaps, by their rules.
    interned: Table,
    /// What the table's numbers stand for.
    distinct: Vec<List>,
    bytes: Vec<u8>,
}

/// Kinds of keys in [`Lists::interned`].
const SHORT: u32 = 0;
const BITMAP: u32 = 1;

impl Lists {
    /// Whether a list is better a bitmap: uniting that costs a step a word, uniting a short one a step a rule.
    fn is_long(&self, rules: &[u32]) -> bool {
        rules.len() > self.words.max(4)
    }

    /// The bitmap of `rules`, by its number.
    fn bitmap(&mut self, rules: &[u32]) -> u32 {
        match self.intern(BITMAP, rules) {
            List::Bitmap(number) => number,
            _ => 0,
        }
    }

    fn add(&mut self, rules: &[u32]) -> List {
        match rules {
            [] => List::Empty,
            [rule] => List::One(*rule),
            rules => self.intern(if self.is_long(rules) { BITMAP } else { SHORT }, rules),
        }
    }

    fn intern(&mut self, kind: u32, rules: &[u32]) -> List {
        self.bytes.clear();
        self.bytes.extend(rules.iter().flat_map(|rule| rule.to_le_bytes()));
        let next = small(self.distinct.len());
        let number = self.interned.intern(kind, Hash::of(&self.bytes), &self.bytes, next);
        if let Some(list) = usize::try_from(number).ok().and_then(|number| self.distinct.get(number)) {
            return *list;
        }
        let list = if kind == BITMAP { self.lay_out(rules) } else { self.put_short(rules) };
        self.distinct.push(list);
        list
    }

    fn put_short(&mut self, rules: &[u32]) -> List {
        let start = small(self.pool.len());
        self.pool.extend_from_slice(rules);
        let number = self.few;
        self.few += 1;
        List::Few { number, start, end: small(self.pool.len()) }
    }

    fn lay_out(&mut self, rules: &[u32]) -> List {
        let mut words = vec![0u64; self.words];
        for rule in rules {
            if let Some(word) = words.get_mut(word_of(*rule)) {
                *word |= bit_of(*rule);
            }
        }
        let mut summary = vec![0u64; self.words.div_ceil(64)];
        for (word, number) in words.iter().zip(0u32..) {
            if let Some(summary) = summary.get_mut(word_of(number)).filter(|_| *word != 0) {
                *summary |= bit_of(number);
            }
        }
        self.bitmaps.extend(words);
        self.bitmaps.extend(summary);
        let number = self.bitmap_count;
        self.bitmap_count += 1;
        List::Bitmap(number)
    }
}

#[cfg(test)]
mod tests;
