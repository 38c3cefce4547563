//! Which of many patterns a value matches.
//!
//! Every pattern has a number, equal ones the same: rules that say the same thing share it. A request's values are looked
//! up one by one; what they match is a [`BitSet`] of pattern numbers, and whether a rule's list of values matches is then
//! a question to the set, however often the value was sent. Looking up costs the length of the value and the number of
//! different lengths of prefixes and suffixes, not the number of patterns; only patterns with a `*` inside are tried one
//! by one where they begin alike.

use crate::table::{Hash, Side, Table, small};
use crate::trie::Trie;
use crate::{BitSet, Cidr, Glob, Pattern};
use std::net::IpAddr;

/// What kinds of patterns a dimension has, so that looking up skips the others.
#[derive(Clone, Debug, Default)]
struct Dimension {
    longest_exact: Option<u32>,
    /// Lengths, ascending.
    prefixes: Vec<u32>,
    suffixes: Vec<u32>,
    /// The lengths of the beginnings of globs.
    globs: Vec<u32>,
    v4: Vec<u8>,
    v6: Vec<u8>,
    present: Option<u32>,
    any: Option<u32>,
    trie: Option<Box<Trie>>,
}

/// The kinds of keys in the table.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Exact,
    Prefix,
    Suffix,
    Range,
    /// The beginning of globs; its number is a place in [`Patterns::globs`].
    GlobStart,
    /// A whole glob, for equal ones to share a number.
    Glob,
}

impl Kind {
    const ALL: [Self; 6] = [Self::Exact, Self::Prefix, Self::Suffix, Self::Range, Self::GlobStart, Self::Glob];

    /// The tag of this kind in `dimension`.
    fn of(self, dimension: u16) -> u32 {
        u32::from(dimension) * small(Self::ALL.len()) + self as u32
    }
}

/// Patterns over dimensions (path, host, a header, ...), each with its number.
#[derive(Clone, Debug)]
pub struct Patterns {
    dimensions: Vec<Dimension>,
    table: Table,
    /// Globs by their beginning, each with its number.
    globs: Vec<Vec<(u32, Glob)>>,
    count: u32,
}

impl Patterns {
    /// No patterns yet, over that many dimensions.
    pub fn new(dimensions: usize) -> Self {
        let dimensions = (0..dimensions).map(|_| Dimension::default()).collect();
        Self { dimensions, table: Table::default(), globs: Vec::new(), count: 0 }
    }

    /// How many different patterns there are; their numbers are below that.
    pub fn len(&self) -> usize {
        usize::try_from(self.count).unwrap_or(usize::MAX)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The number of a pattern over `dimension`, the same whenever it is equal. `None` if there is no such dimension.
    pub fn intern(&mut self, dimension: u16, pattern: &Pattern) -> Option<u32> {
        let Self { dimensions, table, globs, count } = self;
        let next = *count;
        let known = dimensions.get_mut(usize::from(dimension))?;
        let number = match pattern {
            Pattern::Exact(key) => {
                known.longest_exact = known.longest_exact.max(Some(small(key.len())));
                table.intern(Kind::Exact.of(dimension), Hash::of(key), key, next)
            }
            Pattern::Prefix(key) => {
                insert(&mut known.prefixes, small(key.len()));
                table.intern(Kind::Prefix.of(dimension), Hash::of(key), key, next)
            }
            Pattern::Suffix(key) => {
                insert(&mut known.suffixes, small(key.len()));
                table.intern(Kind::Suffix.of(dimension), Hash::of_reversed(key), key, next)
            }
            Pattern::Cidr(cidr) => {
                let lengths = if cidr.address().is_ipv4() { &mut known.v4 } else { &mut known.v6 };
                insert(lengths, cidr.bits());
                let mut key = [0u8; 18];
                let key = range_key(cidr.address(), cidr.bits(), &mut key)?;
                table.intern(Kind::Range.of(dimension), Hash::of(key), key, next)
            }
            Pattern::Present => *known.present.get_or_insert(next),
            Pattern::Any => *known.any.get_or_insert(next),
            Pattern::Template(template) => {
                known.trie.get_or_insert_with(|| Box::new(Trie::new())).intern(template, next)
            }
            Pattern::Glob(glob) => {
                let text = glob.text();
                let number = table.intern(Kind::Glob.of(dimension), Hash::of(&text), &text, next);
                if number == next {
                    let start = glob.start();
                    insert(&mut known.globs, small(start.len()));
                    let place = small(globs.len());
                    let found = table.intern(Kind::GlobStart.of(dimension), Hash::of(start), start, place);
                    if found == place {
                        globs.push(Vec::new());
                    }
                    let alike = usize::try_from(found).ok().and_then(|found| globs.get_mut(found));
                    alike?.push((number, glob.clone()));
                }
                number
            }
        };
        if number == next {
            self.count += 1;
        }
        Some(number)
    }

    /// Ends the filling. Only then values are looked up.
    pub fn finish(&mut self) {
        let dimensions = &self.dimensions;
        let kinds = small(Kind::ALL.len());
        self.table.link(|tag| {
            let known = dimensions.get(usize::try_from(tag / kinds).ok()?)?;
            match Kind::ALL.get(usize::try_from(tag % kinds).ok()?)? {
                Kind::Prefix => Some((Side::Start, known.prefixes.as_slice())),
                Kind::Suffix => Some((Side::End, known.suffixes.as_slice())),
                Kind::GlobStart => Some((Side::Start, known.globs.as_slice())),
                Kind::Exact | Kind::Range | Kind::Glob => None,
            }
        });
        self.dimensions.iter_mut().filter_map(|known| known.trie.as_mut()).for_each(|trie| trie.finish());
    }

    /// Adds the patterns of `dimension` that `value` matches. Call once for each value of the dimension.
    pub fn look_up(&self, dimension: u16, value: &[u8], hits: &mut BitSet) {
        let Some(known) = self.dimensions.get(usize::from(dimension)) else { return };
        let mut hit = |number| {
            hits.insert(number);
        };
        known.any.into_iter().for_each(&mut hit);
        if !value.is_empty() {
            known.present.into_iter().for_each(&mut hit);
        }
        let table = &self.table;
        if known.longest_exact.is_some_and(|longest| small(value.len()) <= longest) {
            table.get(Kind::Exact.of(dimension), Hash::of(value), value).into_iter().for_each(&mut hit);
        }
        if !known.prefixes.is_empty() {
            let tag = Kind::Prefix.of(dimension);
            table.find_all(tag, Side::Start, &known.prefixes, value, &mut |number, _| hit(number));
        }
        if !known.suffixes.is_empty() {
            let tag = Kind::Suffix.of(dimension);
            table.find_all(tag, Side::End, &known.suffixes, value, &mut |number, _| hit(number));
        }
        if let Some(trie) = &known.trie {
            trie.walk(value, &mut hit);
        }
        if !known.globs.is_empty() {
            table.find_all(Kind::GlobStart.of(dimension), Side::Start, &known.globs, value, &mut |place, _| {
                let alike = usize::try_from(place).ok().and_then(|place| self.globs.get(place));
                for (number, glob) in alike.into_iter().flatten() {
                    if glob.matches(value) {
                        hit(*number);
                    }
                }
            });
        }
    }

    /// Adds the ranges of `dimension` that hold `address`.
    pub fn look_up_address(&self, dimension: u16, address: IpAddr, hits: &mut BitSet) {
        let Some(known) = self.dimensions.get(usize::from(dimension)) else { return };
        let mut key = [0u8; 18];
        for bits in if address.is_ipv4() { &known.v4 } else { &known.v6 } {
            let Some(key) = range_key(Cidr::masked(address, *bits), *bits, &mut key) else { continue };
            if let Some(number) = self.table.get(Kind::Range.of(dimension), Hash::of(key), key) {
                hits.insert(number);
            }
        }
    }

    /// The number of [`Pattern::Present`] in `dimension`, if a rule asks for that.
    pub fn present(&self, dimension: u16) -> Option<u32> {
        self.dimensions.get(usize::from(dimension))?.present
    }

    /// The number of [`Pattern::Any`] in `dimension`, if a rule asks for that.
    pub fn any(&self, dimension: u16) -> Option<u32> {
        self.dimensions.get(usize::from(dimension))?.any
    }
}

/// Puts `value` into its place in an ascending list, unless it is there.
fn insert<T: Ord>(list: &mut Vec<T>, value: T) {
    if let Err(place) = list.binary_search(&value) {
        list.insert(place, value);
    }
}

/// The key of a range: family and length, then the address.
fn range_key(address: IpAddr, bits: u8, out: &mut [u8; 18]) -> Option<&[u8]> {
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
    out.get(..length)
}

#[cfg(test)]
mod tests;
