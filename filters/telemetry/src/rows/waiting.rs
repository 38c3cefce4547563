//! What happens to counts until Envoy has the series for them: they are parked with their row, and spilled to an overflow
//! row if that takes too long or too many wait.

use super::pace::Occasion;
use super::queue::Lane;
use super::row::{Labels, Lost};
use super::{Offered, Parked, Rows};
use crate::config::side::Side;
use crate::labels::key::Rank;
use crate::labels::values::{Names, Numbers, labels};
use crate::metrics::{Metric, MetricSet, Values};
use weir_metrics::stat_name;
use weir_model::{Effects, MetricKind, SeriesId, Spent};

impl Rows {
    /// Keeps what a stream could not count until its row has the series.
    pub(super) fn park(&mut self, effects: &mut Effects, at: u32, left: MetricSet, values: Values, names: Names<'_>) {
        self.enqueue(at, left);
        let values = values.only(left);
        let Some(row) = self.row(at) else { return };
        if row.rank == Rank::Overflow {
            return self.hold(effects, at, values);
        }
        let side = row.side();
        if self.parked.len() >= Self::MANY {
            let last = self.last_row(side);
            self.enqueue(last, left);
        }
        if self.parked.len() >= Self::PARKED {
            self.spill(effects, names);
        }
        self.parked.push_back(Parked { row: at, values, since: self.ticks });
    }

    /// Counts the stream that has waited longest in an overflow row.
    pub(super) fn spill(&mut self, effects: &mut Effects, names: Names<'_>) {
        let Some(Parked { row: at, values, .. }) = self.parked.pop_front() else { return };
        let Some(row) = self.row(at) else { return };
        let (side, mut left) = (row.side(), values.metrics());
        if row.lost != Lost::Row {
            self.tallies.count(effects, &self.ids, None);
        }
        if let Labels::Of(key) = self.row(at).map_or(Labels::Text(side, String::new()), |row| row.labels.clone()) {
            let overflow = self.overflow_row(&key, names);
            if let Some(row) = self.row(overflow).filter(|row| row.rank != Rank::Overflow) {
                left = row.emit(effects, &values);
                self.enqueue(overflow, left);
            }
        }
        if !left.is_empty() {
            let last = self.last_row(side);
            let values = values.only(left);
            let left = self.row(last).map_or(MetricSet::EMPTY, |row| row.emit(effects, &values));
            self.enqueue(last, left);
            self.hold(effects, last, values.only(left));
        }
    }

    /// Keeps what the last row of a side cannot count yet.
    fn hold(&mut self, effects: &mut Effects, at: u32, values: Values) {
        let Some(held) = self.held_mut(at) else { return };
        let mut full = None;
        for metric in Metric::ALL {
            let held = held.get_mut(metric);
            match (*values.get(metric), held.first_mut()) {
                (Some(value), Some(sum)) if metric.kind() == MetricKind::Counter => *sum = sum.saturating_add(value),
                (Some(value), _) => held.push(value),
                (None, _) => {}
            }
            if held.len() >= Self::HELD {
                full = Some(metric);
            }
        }
        // One definition at most: the next metric that is full comes with the next stream.
        if let Some(metric) = full {
            self.release(effects, at, metric);
        }
    }

    /// Defines a series that holds too many values to wait, although the call is expensive.
    fn release(&mut self, effects: &mut Effects, at: u32, metric: Metric) {
        let values = self.held_mut(at).map(|held| std::mem::take(held.get_mut(metric))).unwrap_or_default();
        let Some(row) = self.row(at).filter(|_| !values.is_empty()) else { return };
        let Labels::Text(_, labels) = &row.labels else { return };
        let series = row.series(metric);
        effects.define(series, metric.kind(), [labels.as_str(), &self.prefix, metric.name()].concat());
        if let Some(row) = self.row_mut(at) {
            row.defined(metric);
        }
        for value in values {
            match metric.kind() {
                MetricKind::Counter => effects.add(series, value),
                _ => effects.record(series, value),
            }
        }
    }

    /// Offers the next series, as many as the pace allows.
    pub(super) fn offer(&mut self, effects: &mut Effects, names: Names<'_>, occasion: Occasion) {
        let mut room = self.pace.room();
        if room == 0 {
            // The last rows do not wait for a rest: what they hold is bounded.
            if occasion == Occasion::Use || !self.queue.overflow_waits() {
                return;
            }
            room = 1;
        } else {
            // The counters of lost labels come first: they say that something is missing.
            let first = self.offered.len();
            let Self { tallies, offered, .. } = self;
            tallies.offer(effects, room, |series| offered.push((series, Offered::Tally)));
            room = room.saturating_sub(self.offered.len() - first);
        }
        let missing = |at, lane: Lane| self.row(at).map_or(MetricSet::EMPTY, |row| row.missing(lane.metrics()));
        let next = self.queue.next(room, missing);
        effects.patience = occasion.patience();
        // Spelling out 25 labels is the dear part, and the series of one row share them.
        let mut spelled: Vec<(u32, String)> = Vec::new();
        for (at, metric) in next {
            let Some(row) = self.row(at) else { continue };
            let text = match (&row.labels, spelled.iter().position(|(row, _)| *row == at)) {
                (Labels::Text(_, text), _) => text.as_str(),
                (Labels::Of(key), place) => {
                    let place = place.unwrap_or_else(|| {
                        let numbers = Numbers::new(key);
                        spelled.push((at, stat_name(&labels(key, names, &numbers), "")));
                        spelled.len() - 1
                    });
                    spelled.get(place).map_or("", |(_, text)| text)
                }
            };
            let mut counts = self.held(at).map(|held| held.get(metric).clone()).unwrap_or_default();
            let parked = self.parked.iter().filter(|parked| parked.row == at);
            counts.extend(parked.filter_map(|parked| *parked.values.get(metric)));
            let series = row.series(metric);
            effects.offer(series, metric.kind(), [text, &self.prefix, metric.name()].concat(), counts);
            self.offered.push((series, Offered::Row(at, metric)));
        }
    }

    /// Takes note of what the shell made of the latest offers. What they were to count is counted.
    pub(super) fn settle(&mut self, effects: &mut Effects) {
        if self.offered.is_empty() && effects.spent.total == 0 {
            return;
        }
        let spent = effects.take_spent();
        self.pace.spent(spent);
        let defined = effects.take_defined();
        self.charge(spent, &defined);
        for (series, offered) in std::mem::take(&mut self.offered) {
            if !defined.contains(&series) {
                continue;
            }
            let Offered::Row(at, metric) = offered else {
                self.tallies.defined(series);
                continue;
            };
            if let Some(row) = self.row_mut(at) {
                row.defined(metric);
            }
            for place in 0..self.parked.len() {
                if let Some(parked) = self.parked.get_mut(place).filter(|parked| parked.row == at) {
                    *parked.values.get_mut(metric) = None;
                }
            }
            if let Some(held) = self.held_mut(at) {
                held.get_mut(metric).clear();
            }
        }
        // The standard library's `retain` swaps by index.
        for _ in 0..self.parked.len() {
            if let Some(parked) = self.parked.pop_front().filter(|parked| !parked.values.metrics().is_empty()) {
                self.parked.push_back(parked);
            }
        }
        let Self { queue, rows, .. } = self;
        queue.trim(|at, lane| {
            let row = usize::try_from(at).ok().and_then(|at| rows.get(at));
            row.is_none_or(|row| row.missing(lane.metrics()).is_empty())
        });
    }

    /// Charges the accounts. A slow definition ends its batch, so it is the last one; the others took the rest evenly.
    fn charge(&mut self, spent: Spent, defined: &[SeriesId]) {
        let Some((last, others)) = defined.split_last() else { return };
        let rest = spent.total.saturating_sub(spent.slowest);
        let each = u64::try_from(others.len()).ok().and_then(|others| rest.checked_div(others)).unwrap_or_default();
        let Self { rows, queue, offered, .. } = self;
        for (series, of) in offered {
            let Offered::Row(at, _) = of else { continue };
            let row = usize::try_from(*at).ok().and_then(|at| rows.get(at));
            let took = if series == last { spent.slowest } else { each };
            if let Some(row) = row.filter(|row| row.is_charged() && defined.contains(series)) {
                queue.charge(row.account(), took);
            }
        }
    }

    /// Counts everything that waits: the VM ends.
    pub(super) fn finish(&mut self, effects: &mut Effects, names: Names<'_>) {
        while !self.parked.is_empty() {
            self.spill(effects, names);
        }
        for side in [Side::Source, Side::Destination] {
            let Some(last) = self.last.get(side).as_ref().map(|last| last.row) else { continue };
            Metric::ALL.into_iter().for_each(|metric| self.release(effects, last, metric));
        }
        self.tallies.finish(effects);
    }
}
