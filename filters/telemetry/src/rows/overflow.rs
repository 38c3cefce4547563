//! The rows that count streams which have no row of their own: those that keep a few labels, and one for each side.

use super::row::{Labels, Lost};
use super::{Rows, remember};
use crate::config::side::Side;
use crate::labels::interner::UNKNOWN;
use crate::labels::key::{Key, Rank};
use crate::labels::names::LABELS;
use crate::labels::values::{Names, Numbers, labels};
use crate::metrics::PerMetric;
use weir_metrics::{OTHER, stat_name};

/// The row of a side that counts what no other row does.
#[derive(Clone, Debug)]
pub(super) struct LastRow {
    pub(super) row: u32,
    /// What it could not yet count.
    held: PerMetric<Vec<u64>>,
}

impl Rows {
    /// The row for streams with `key` that have none of their own.
    pub(super) fn overflow_row(&mut self, key: &Key, names: Names<'_>) -> u32 {
        if let Some(at) = self.overflowing.get(key) {
            return *at;
        }
        let at = self.new_overflow_row(key, names);
        if self.overflowing.len() >= Self::OVERFLOWING {
            self.overflowing.clear();
        }
        remember(&mut self.overflowing, *key, at);
        at
    }

    fn new_overflow_row(&mut self, key: &Key, names: Names<'_>) -> u32 {
        let numbers = Numbers::new(key);
        let mut labels = labels(key, names, &numbers);
        for (label, value) in &mut labels {
            if !self.keep.contains(label) {
                *value = OTHER.as_bytes();
            }
        }
        let name = stat_name(&labels, "");
        if let Some(at) = self.overflow.get(name.as_bytes()) {
            return *at;
        }
        let rank = key.rank().max(Rank::Plain);
        if self.overflow.len() >= (self.budget / 10).max(8) || !self.queue.has_room(rank, UNKNOWN) {
            return self.last_row(key.side);
        }
        let at = self.add(rank, Lost::Row, Labels::Text(key.side, name.clone()));
        self.overflow.insert(name.into_bytes(), at);
        at
    }

    /// The row that counts what no other row does.
    pub(super) fn last_row(&mut self, side: Side) -> u32 {
        if let Some(last) = self.last.get(side) {
            return last.row;
        }
        let reporter = match side {
            Side::Source => "source",
            Side::Destination => "destination",
        };
        let name = stat_name(&LABELS.map(|label| (label, if label == "reporter" { reporter } else { OTHER })), "");
        let row = self.add(Rank::Overflow, Lost::Row, Labels::Text(side, name));
        *self.last.get_mut(side) = Some(LastRow { row, held: PerMetric::default() });
        row
    }

    /// What a row could not yet count, if it is the last one of its side.
    pub(super) fn held(&self, at: u32) -> Option<&PerMetric<Vec<u64>>> {
        let side = self.row(at)?.side();
        self.last.get(side).as_ref().filter(|last| last.row == at).map(|last| &last.held)
    }

    pub(super) fn held_mut(&mut self, at: u32) -> Option<&mut PerMetric<Vec<u64>>> {
        let side = self.row(at)?.side();
        self.last.get_mut(side).as_mut().filter(|last| last.row == at).map(|last| &mut last.held)
    }
}
