//! The rows: one for each set of labels, within the budget; beyond it, rows that keep few labels.
//!
//! Admission has three steps. Below half of the budget every key gets its row. From there on, each value that a client can
//! make up is folded to `other`. At the budget, a stream is counted in a row that keeps only the configured labels, a tenth
//! of the budget more at most, and at last in one row per reporter.
//!
//! A row that is admitted has no series yet: Envoy needs time for each, so they are offered at a [`Pace`], in the order of
//! the [`Queue`]. What a stream counts meanwhile waits in the VM for a moment and goes to an overflow row if that is too
//! long. Every stream is counted in exactly one row per metric, so totals are exact.

use crate::config::Settings;
use crate::config::side::PerSide;
use crate::labels::interner::{OTHER_ID, UNKNOWN};
use crate::labels::key::{Key, Rank};
use crate::labels::names::foldable;
use crate::labels::values::{Names, Numbers, labels};
use crate::metrics::{Metric, MetricSet, Values};
use overflow::LastRow;
use pace::{Occasion, Pace, TICK};
use queue::{Lane, Queue};
use row::{Labels, Lost, Row};
use std::collections::VecDeque;
use std::time::Duration;
use tally::Tallies;
use weir_metrics::{OTHER, SeriesIds};
use weir_model::{Effects, Now, SeriesId, SortedMap};

mod overflow;
mod pace;
mod queue;
mod row;
mod tally;
mod waiting;

/// What a stream still has to count in a row that waits.
#[derive(Clone, Debug)]
struct Parked {
    row: u32,
    values: Values,
    /// The tick after which it came.
    since: u32,
}

/// What was offered.
#[derive(Clone, Copy, Debug)]
enum Offered {
    Row(u32, Metric),
    Tally,
}

/// All rows of one VM.
#[derive(Debug)]
pub(crate) struct Rows {
    ids: SeriesIds,
    rows: Vec<Row>,
    /// The rows of single keys.
    by_key: SortedMap<Key, u32>,
    /// How many of these rows each principal of a peer has, by its number.
    of_principal: Vec<usize>,
    /// Keys that are counted in an overflow row, and in which; forgotten when there are too many.
    overflowing: SortedMap<Key, u32>,
    /// The overflow rows, by the labels they keep.
    overflow: SortedMap<Vec<u8>, u32>,
    last: PerSide<Option<LastRow>>,
    queue: Queue,
    parked: VecDeque<Parked>,
    tallies: Tallies,
    offered: Vec<(SeriesId, Offered)>,
    pace: Pace,
    ticks: u32,
    budget: usize,
    prefix: String,
    /// The labels that overflow rows keep.
    keep: Vec<&'static str>,
}

impl Rows {
    /// The most keys remembered as counted in an overflow row.
    const OVERFLOWING: usize = 2048;
    /// The most streams that wait for a series of their row.
    const PARKED: usize = 512;
    /// So many of them have an overflow row made, for the time when there are too many.
    const MANY: usize = 32;
    /// For how many ticks a stream waits: two seconds.
    const PATIENCE: u32 = 40;
    /// The most values of a histogram that wait for the last row.
    const HELD: usize = 4096;

    #[inline(never)]
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            ids: SeriesIds::default(),
            rows: Vec::new(),
            by_key: SortedMap::new(),
            of_principal: Vec::new(),
            overflowing: SortedMap::new(),
            overflow: SortedMap::new(),
            last: PerSide::default(),
            queue: Queue::default(),
            parked: VecDeque::new(),
            tallies: Tallies::new(&settings.name),
            offered: Vec::new(),
            pace: Pace::new(settings.cardinality.new_stats_per_tick),
            ticks: 0,
            budget: settings.cardinality.series,
            prefix: settings.prefix.clone(),
            keep: settings.cardinality.keep.clone(),
        }
    }

    /// Counts a stream with `key`.
    pub(crate) fn count(&mut self, effects: &mut Effects, key: &Key, names: Names<'_>, values: Values) {
        self.settle(effects);
        let at = self.find(key, names);
        let Some(row) = self.row(at) else { return };
        match row.lost {
            Lost::Nothing => {}
            Lost::Label(label) => self.tallies.count(effects, &self.ids, Some(label)),
            Lost::Row => self.tallies.count(effects, &self.ids, None),
        }
        let Some(row) = self.row(at) else { return };
        let left = row.emit(effects, &values);
        if !left.is_empty() {
            self.park(effects, at, left, values, names);
            self.offer(effects, names, Occasion::Use);
        }
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, effects: &mut Effects, names: Names<'_>, now: Now) {
        self.settle(effects);
        if now == Now::END {
            return self.finish(effects, names);
        }
        self.ticks = self.ticks.wrapping_add(1);
        self.pace.tick(now.mono_nanos);
        while let Some(oldest) = self.parked.front()
            && self.ticks.wrapping_sub(oldest.since) >= Self::PATIENCE
        {
            self.spill(effects, names);
        }
        self.offer(effects, names, Occasion::Tick);
    }

    /// How often [`Rows::tick`] is wanted: only while something waits.
    pub(crate) fn tick_period(&self) -> Option<Duration> {
        let calm = self.queue.is_empty() && self.parked.is_empty() && self.pace.rested() && self.tallies.is_settled();
        if calm { None } else { Some(TICK) }
    }

    fn row(&self, at: u32) -> Option<&Row> {
        self.rows.get(usize::try_from(at).ok()?)
    }

    fn row_mut(&mut self, at: u32) -> Option<&mut Row> {
        self.rows.get_mut(usize::try_from(at).ok()?)
    }

    /// A new row without any series.
    fn add(&mut self, rank: Rank, lost: Lost, labels: Labels) -> u32 {
        let at = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        let base = self.ids.allot();
        for _ in 1..Metric::ALL.len() {
            self.ids.allot();
        }
        self.rows.push(Row::new(base, rank, lost, labels));
        at
    }

    /// The row that counts a stream with `key`.
    fn find(&mut self, key: &Key, names: Names<'_>) -> u32 {
        match self.by_key.get(key) {
            Some(at) => *at,
            None => self.find_or_add(key, names),
        }
    }

    #[inline(never)]
    fn find_or_add(&mut self, key: &Key, names: Names<'_>) -> u32 {
        // A certificate vouches for who the peer is, not for the number of its rows: beyond a quarter of the budget its
        // description is `other`, beyond half of it its streams are counted in overflow rows.
        let rows = self.rows_of(key);
        let crowded = self.by_key.len() >= self.budget.div_ceil(2) || !self.queue.has_room(key.rank(), key.account());
        let key = match (rows >= self.budget.div_ceil(4), crowded) {
            (true, _) => key.unvouched(),
            (false, true) => key.folded(),
            (false, false) => *key,
        };
        if let Some(at) = self.by_key.get(&key) {
            return *at;
        }
        let greedy = rows >= self.budget.div_ceil(2);
        let rank = key.rank();
        if self.by_key.len() < self.budget && !greedy && self.queue.has_room(rank, key.account()) {
            self.count_row_of(&key);
            let numbers = Numbers::new(&key);
            let folded = labels(&key, names, &numbers)
                .into_iter()
                .find(|(label, value)| *value == OTHER.as_bytes() && foldable().any(|of| of == *label));
            let lost = folded.map_or(Lost::Nothing, |(label, _)| Lost::Label(label));
            let at = self.add(rank, lost, Labels::Of(key));
            remember(&mut self.by_key, key, at);
            return at;
        }
        self.overflow_row(&key, names)
    }

    /// How many rows the peer of a stream with `key` has; none that is not known counts.
    fn rows_of(&self, key: &Key) -> usize {
        let place =
            usize::try_from(key.peer_principal).ok().filter(|_| ![UNKNOWN, OTHER_ID].contains(&key.peer_principal));
        place.and_then(|place| self.of_principal.get(place)).copied().unwrap_or_default()
    }

    fn count_row_of(&mut self, key: &Key) {
        let Ok(place) = usize::try_from(key.peer_principal) else { return };
        if self.of_principal.len() <= place {
            self.of_principal.resize(place + 1, 0);
        }
        if let Some(count) = self.of_principal.get_mut(place) {
            *count += 1;
        }
    }

    /// Has a row stand in the queue for metrics that it was not used for before.
    fn enqueue(&mut self, at: u32, metrics: MetricSet) {
        let Some(row) = self.row_mut(at) else { return };
        let stood = row.missing(MetricSet::ALL);
        let new = row.want(metrics);
        let (rank, account) = (row.rank, row.account());
        for lane in Lane::ALL {
            if !new.and(lane.metrics()).is_empty() && stood.and(lane.metrics()).is_empty() {
                self.queue.push(rank, account, lane, at);
            }
        }
    }
}

/// One for both maps: an insertion is a kilobyte of code.
#[inline(never)]
fn remember(rows: &mut SortedMap<Key, u32>, key: Key, at: u32) {
    rows.insert(key, at);
}

#[cfg(test)]
mod tests;
