//! Keys of objects: those given twice, and the known one that a misspelt one is nearest to.

use crate::Value;
use std::borrow::Cow;

/// Finds keys that an object has twice. Most objects are small, and looking through those needs no memory; a map may have
/// very many.
pub(super) enum SeenKeys<'v> {
    Few,
    /// The keys so far, in as many lists as there are keys.
    Many(Vec<Vec<&'v str>>),
}

impl<'v> SeenKeys<'v> {
    /// Objects of this many keys are looked through.
    const FEW: usize = 16;

    pub(super) fn of(keys: usize) -> Self {
        if keys <= Self::FEW { Self::Few } else { Self::Many(vec![Vec::new(); keys]) }
    }

    /// Whether `key` is among those before it. Asked for each key in turn.
    pub(super) fn repeats(&mut self, key: &'v str, before: &[(Cow<'_, str>, Value<'_>)]) -> bool {
        let Self::Many(lists) = self else { return before.iter().any(|(known, _)| known == key) };
        let bucket = hash_bucket(key, lists.len());
        let Some(list) = lists.get_mut(bucket) else { return false };
        let repeats = list.contains(&key);
        if !repeats {
            list.push(key);
        }
        repeats
    }
}

/// One of `count` lists, by the bytes of `key` (FNV-1a).
fn hash_bucket(key: &str, count: usize) -> usize {
    let hash = key.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    usize::try_from(hash).unwrap_or(0).checked_rem(count).unwrap_or(0)
}

/// The known name at an edit distance of at most two, if there is one.
pub(super) fn nearest(key: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    if key.len() > 64 {
        return None;
    }
    let ranked = names.map(|name| (distance(key.as_bytes(), name.as_bytes()), name));
    ranked.filter(|(far, name)| *far <= 2 && *far < name.len()).min().map(|(_, name)| name)
}

fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, y) in row.iter_mut().skip(1).zip(b) {
            let cost = diagonal + usize::from(!x.eq_ignore_ascii_case(y));
            diagonal = *cell;
            left = cost.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}
