//! Which of many rules can match at all.
//!
//! A rule is a conjunction of groups, a group a disjunction of alternatives, an alternative a conjunction of clauses, and
//! a clause a disjunction of patterns over one dimension (path, host, a header, ...). If in one group every alternative
//! has a clause of positive patterns, the rule cannot match unless one of those patterns does: the rule is *anchored*
//! under them, in the group where the fewest other rules are. Rules without such a group are always candidates. Rules are
//! numbered by the caller in the order in which they are to be tried; candidates come out in that order, each once.

mod build;
mod candidates;

pub use candidates::Candidates;

use crate::Pattern;
use crate::cidr::mask;
use crate::table::{Hash, Table};
use crate::trie::Trie;
use std::net::IpAddr;

/// A positive pattern over a dimension.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Anchor {
    /// Which dimension; the caller numbers them from 0, densely.
    pub dimension: u16,
    /// The pattern.
    pub pattern: Pattern,
}

/// The clauses of an alternative that could anchor it; each is the whole list of its patterns.
pub type Alternative = Vec<Vec<Anchor>>;

/// Alternatives of which at least one must hold.
pub type Group = Vec<Alternative>;

/// What kinds of keys a dimension has, so that a probe skips the others.
#[derive(Clone, Debug, Default)]
struct Dimension {
    longest_exact: usize,
    prefixes: Box<[usize]>,
    suffixes: Box<[usize]>,
    v4: Box<[u8]>,
    v6: Box<[u8]>,
    present: Option<u32>,
    any: Option<u32>,
    all: Option<u32>,
    trie: Option<Trie>,
}

/// The index. Postings are ascending rule numbers, all in one pool.
#[derive(Clone, Debug, Default)]
pub struct Index {
    dimensions: Box<[Dimension]>,
    table: Table,
    /// Where each posting list begins and ends in the pool.
    lists: Box<[(u32, u32)]>,
    pool: Box<[u32]>,
    always: Option<u32>,
}

const EXACT: u32 = 0;
const PREFIX: u32 = 1;
const SUFFIX: u32 = 2;
const RANGE: u32 = 3;

fn tag(dimension: u16, kind: u32) -> u32 {
    u32::from(dimension) << 2 | kind
}

/// The key of a range: family and length, then the address.
fn range_key(address: IpAddr, bits: u8, out: &mut [u8; 18]) -> usize {
    let (family, length) = match address {
        IpAddr::V4(v4) => {
            out.iter_mut().skip(2).zip(v4.octets()).for_each(|(place, byte)| *place = byte);
            (4, 6)
        }
        IpAddr::V6(v6) => {
            out.iter_mut().skip(2).zip(v6.octets()).for_each(|(place, byte)| *place = byte);
            (6, 18)
        }
    };
    out.iter_mut().zip([family, bits]).for_each(|(place, byte)| *place = byte);
    length
}

impl Index {
    /// How many rules no pattern leads to; they are candidates of every request.
    pub fn unanchored(&self) -> usize {
        self.always.and_then(|list| self.list(list)).map_or(0, |(start, end)| end - start)
    }

    /// Begins a request: the unanchored rules are candidates.
    pub fn start(&self, candidates: &mut Candidates) {
        candidates.clear();
        self.push(self.always, candidates);
    }

    /// Adds the rules that `value` of `dimension` may match. Call once for each value of the dimension.
    pub fn probe(&self, dimension: u16, value: &[u8], candidates: &mut Candidates) {
        let Some(known) = self.dimensions.get(usize::from(dimension)) else { return };
        self.push(known.any, candidates);
        if value.is_empty() {
            return;
        }
        self.push(known.present, candidates);
        let exact = value.len() <= known.longest_exact;
        let mut hash = Hash::EMPTY;
        let mut hashed = 0usize;
        let mut extend = |to: usize| {
            for byte in value.iter().take(to).skip(hashed) {
                hash = hash.with(*byte);
            }
            hashed = to;
            hash
        };
        for length in &known.prefixes {
            let Some(key) = value.get(..*length) else { break };
            self.push(self.table.get(tag(dimension, PREFIX), extend(*length), key), candidates);
        }
        if exact {
            self.push(self.table.get(tag(dimension, EXACT), extend(value.len()), value), candidates);
        }
        for length in &known.suffixes {
            let Some(key) = value.len().checked_sub(*length).and_then(|at| value.get(at..)) else { break };
            self.push(self.table.get(tag(dimension, SUFFIX), Hash::of(key), key), candidates);
        }
        if let Some(trie) = &known.trie {
            trie.walk(value, &mut |list| self.push(Some(list), candidates));
        }
    }

    /// Adds the rules with a range of `dimension` that holds `address`.
    pub fn probe_address(&self, dimension: u16, address: IpAddr, candidates: &mut Candidates) {
        let Some(known) = self.dimensions.get(usize::from(dimension)) else { return };
        let mut key = [0u8; 18];
        for bits in if address.is_ipv4() { &known.v4 } else { &known.v6 } {
            let length = range_key(mask(address, *bits), *bits, &mut key);
            let Some(key) = key.get(..length) else { continue };
            self.push(self.table.get(tag(dimension, RANGE), Hash::of(key), key), candidates);
        }
    }

    /// Adds the rules that ask only for presence, for a value that is there but cannot be seen.
    pub fn probe_present(&self, dimension: u16, candidates: &mut Candidates) {
        let Some(known) = self.dimensions.get(usize::from(dimension)) else { return };
        self.push(known.any, candidates);
        self.push(known.present, candidates);
    }

    /// Adds every rule anchored in `dimension`, whose value is not known.
    pub fn probe_unknown(&self, dimension: u16, candidates: &mut Candidates) {
        let Some(known) = self.dimensions.get(usize::from(dimension)) else { return };
        self.push(known.all, candidates);
    }

    /// The lowest candidate that is at least `from`. Ask with rising numbers.
    pub fn next(&self, from: u32, candidates: &mut Candidates) -> Option<u32> {
        candidates.next(from, &self.pool)
    }

    fn list(&self, list: u32) -> Option<(usize, usize)> {
        let (start, end) = self.lists.get(usize::try_from(list).ok()?)?;
        Some((usize::try_from(*start).ok()?, usize::try_from(*end).ok()?))
    }

    fn push(&self, list: Option<u32>, candidates: &mut Candidates) {
        if let Some((start, end)) = list.and_then(|list| self.list(list)) {
            candidates.push(start, end);
        }
    }
}

#[cfg(test)]
mod tests;
