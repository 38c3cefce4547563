//! What a line says of the values of a header.

use std::borrow::Cow;
use weir_policy::{Knowledge, is_single_header};

/// Of how many parts all ways to join them are tried.
const PARTS: usize = 8;

/// Of how many all ways are decided one by one.
const READ_PARTS: usize = 4;

/// Something that a line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Known<'l> {
    #[default]
    Unknown,
    Absent,
    Value(Cow<'l, [u8]>),
    /// This, or nothing: a `-` in text is written for both.
    Perhaps(Cow<'l, [u8]>),
}

impl Known<'_> {
    /// The value that it has for sure.
    pub(crate) fn value(&self) -> Option<&[u8]> {
        match self {
            Self::Value(value) => Some(value),
            Self::Unknown | Self::Absent | Self::Perhaps(_) => None,
        }
    }

    /// How much is known, and the values that say it.
    pub(crate) fn values(&self) -> (Knowledge, Vec<&[u8]>) {
        match self {
            Self::Unknown => (Knowledge::Nothing, Vec::new()),
            Self::Absent => (Knowledge::Whole, Vec::new()),
            Self::Value(value) => (Knowledge::Whole, vec![value]),
            Self::Perhaps(value) => (Knowledge::AtMost, vec![value]),
        }
    }
}

/// What a line says of a header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header<'l> {
    pub(crate) first: Known<'l>,
    /// All values, joined by commas.
    pub(crate) joined: Known<'l>,
    /// All of them one by one, or the first ones.
    reading: Option<(Knowledge, Vec<Vec<u8>>)>,
}

impl Header<'_> {
    /// How much is known of its values, and those that say it.
    pub(crate) fn values(&self, name: &str) -> (Knowledge, Vec<&[u8]>) {
        if let Some((knowledge, values)) = &self.reading {
            return (*knowledge, values.iter().map(Vec::as_slice).collect());
        }
        match (&self.first, &self.joined) {
            (first, Known::Unknown) => match first.values() {
                (Knowledge::Whole, values) if !values.is_empty() && !is_single_header(name) => {
                    (Knowledge::AtLeast, values)
                }
                // A `-` is nothing, or the first of any values.
                (Knowledge::AtMost, _) if !is_single_header(name) => (Knowledge::Nothing, Vec::new()),
                known => known,
            },
            (Known::Absent, _) | (_, Known::Absent) => (Knowledge::Whole, Vec::new()),
            (Known::Value(first), Known::Value(joined)) => match joined.strip_prefix(&**first) {
                Some([]) => (Knowledge::Whole, vec![first]),
                Some([b',', rest @ ..]) if !rest.contains(&b',') => (Knowledge::Whole, vec![first, rest]),
                _ => (Knowledge::AtLeast, vec![first]),
            },
            (_, Known::Value(joined)) => grouped(joined),
            (Known::Value(first), _) => (Knowledge::AtLeast, vec![first]),
            (_, joined) => joined.values(),
        }
    }
}

impl Header<'_> {
    /// A header with these values.
    pub(crate) fn of(values: Vec<Vec<u8>>) -> Self {
        Self { reading: Some((Knowledge::Whole, values)), ..Self::default() }
    }

    /// A header with these values, and perhaps more.
    pub(crate) fn beginning(values: Vec<Vec<u8>>) -> Self {
        Self { reading: Some((Knowledge::AtLeast, values)), ..Self::default() }
    }
}

impl<'l> Header<'l> {
    /// Every way to take its joined values apart; none where there is one, or too many.
    pub(crate) fn readings(&self) -> Vec<Self> {
        let Known::Value(joined) = &self.joined else { return Vec::new() };
        let (first, rest) = match &self.first {
            Known::Value(first) => match joined.strip_prefix(&**first) {
                Some([b',', rest @ ..]) => (Some(first.to_vec()), rest),
                _ => return Vec::new(),
            },
            Known::Unknown => (None, &**joined),
            Known::Absent | Known::Perhaps(_) => return Vec::new(),
        };
        let parts: Vec<&[u8]> = rest.split(|byte| *byte == b',').collect();
        if !(2..=READ_PARTS).contains(&parts.len()) {
            return Vec::new();
        }
        // A bit for each comma: whether it is a part of a value.
        let ways = 0..1u32 << (parts.len() - 1);
        let reading = |way: u32| {
            let mut values: Vec<Vec<u8>> = first.clone().into_iter().collect();
            for (place, part) in (0u32..).zip(&parts) {
                match values.last_mut().filter(|_| place > 0 && way & (1 << (place - 1)) != 0) {
                    Some(last) => last.extend(std::iter::once(&b',').chain(*part)),
                    None => values.push(part.to_vec()),
                }
            }
            Self::of(values)
        };
        ways.map(reading).collect()
    }
}

/// Values that were joined by commas. A comma may be a part of one.
fn grouped(joined: &[u8]) -> (Knowledge, Vec<&[u8]>) {
    let commas = joined.iter().enumerate().filter(|(_, byte)| **byte == b',').map(|(at, _)| at);
    let commas: Vec<usize> = commas.collect();
    if commas.is_empty() {
        return (Knowledge::Whole, vec![joined]);
    }
    if commas.len() >= PARTS {
        return (Knowledge::Nothing, Vec::new());
    }
    let starts: Vec<usize> = std::iter::once(0).chain(commas.iter().map(|at| at + 1)).collect();
    let ends: Vec<usize> = commas.iter().copied().chain([joined.len()]).collect();
    let values = starts
        .iter()
        .enumerate()
        .flat_map(|(first, start)| ends.iter().skip(first).filter_map(|end| joined.get(*start..*end)));
    (Knowledge::AtMost, values.collect())
}

#[cfg(test)]
mod tests;
