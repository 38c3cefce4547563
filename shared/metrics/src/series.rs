//! A bounded map from a caller's key to a series, with one overflow series that keeps totals exact.

use std::borrow::Borrow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use weir_model::{Effects, MetricKind, SeriesId, SortedMap};

/// Numbers the series of one owner. Clones share the numbering: give one to every [`Series`] of a filter.
#[derive(Clone, Debug, Default)]
pub struct SeriesIds {
    next: Arc<AtomicU32>,
}

impl SeriesIds {
    /// The next unused number, from 0.
    pub fn allot(&self) -> SeriesId {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// How many numbers are in use.
    pub fn allotted(&self) -> u32 {
        self.next.load(Ordering::Relaxed)
    }
}

/// The series of one metric in one VM. A key's series is made on its first use; at the budget every new key shares the
/// overflow series, which is one series more.
#[derive(Debug)]
pub struct Series<K> {
    ids: SeriesIds,
    by_key: SortedMap<K, SeriesId>,
    budget: usize,
    overflow_name: String,
    overflow: Option<SeriesId>,
    overflowed: u64,
}

impl<K: Ord> Series<K> {
    /// At most `budget` series, and `overflow_name` as the stat name of what does not fit.
    pub fn new(ids: &SeriesIds, budget: usize, overflow_name: String) -> Self {
        Self { ids: ids.clone(), by_key: SortedMap::new(), budget, overflow_name, overflow: None, overflowed: 0 }
    }

    /// The series of `key`, or the overflow series. Whichever it is, the first use defines it in `effects`; `name` is
    /// called only when a series is made for the key.
    pub fn get<Q>(
        &mut self,
        effects: &mut Effects,
        key: &Q,
        kind: MetricKind,
        name: impl FnOnce() -> String,
    ) -> SeriesId
    where
        K: Borrow<Q>,
        Q: Ord + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(series) = self.by_key.get(key) {
            return *series;
        }
        if self.by_key.len() < self.budget {
            let series = self.ids.allot();
            effects.define(series, kind, name());
            self.by_key.insert(key.to_owned(), series);
            return series;
        }
        self.overflowed = self.overflowed.saturating_add(1);
        if let Some(series) = self.overflow {
            return series;
        }
        let series = self.ids.allot();
        effects.define(series, kind, self.overflow_name.clone());
        self.overflow = Some(series);
        series
    }

    /// The series of `key` if it has one of its own.
    pub fn existing<Q>(&self, key: &Q) -> Option<SeriesId>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.by_key.get(key).copied()
    }

    /// How many keys have a series of their own.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether no key has a series.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Whether half of the budget is used. From then on a new key should carry [`crate::OTHER`] in every label that a
    /// client controls, so that the other half stays free for keys that no client can make up.
    pub fn is_crowded(&self) -> bool {
        self.by_key.len() >= self.budget.div_ceil(2)
    }

    /// Whether a new key would share the overflow series.
    pub fn is_full(&self) -> bool {
        self.by_key.len() >= self.budget
    }

    /// How many times the overflow series was used.
    pub fn overflowed(&self) -> u64 {
        self.overflowed
    }
}

#[cfg(test)]
mod tests;
