//! One row: a set of labels and its four series, each of which Envoy gets when it is first used.

use crate::config::side::Side;
use crate::labels::interner::UNKNOWN;
use crate::labels::key::{Key, Rank};
use crate::metrics::{Metric, MetricSet, Values};
use weir_model::{Effects, MetricKind, SeriesId};

/// Where a row's labels come from.
#[derive(Clone, Debug)]
pub(crate) enum Labels {
    /// From the key, spelled out when a series is defined.
    Of(Key),
    /// Spelled out already: those of an overflow row.
    Text(Side, String),
}

/// What a stream in a row has lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Nothing.
    Nothing,
    /// A label's value.
    Label(&'static str),
    /// Most labels.
    Row,
}

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Number of the first series; the others follow.
    base: SeriesId,
    /// Metrics that Envoy has.
    ready: MetricSet,
    /// Metrics that were used.
    wanted: MetricSet,
    pub(crate) lost: Lost,
    pub(crate) rank: Rank,
    pub(crate) labels: Labels,
}

impl Row {
    pub(crate) fn new(base: SeriesId, rank: Rank, lost: Lost, labels: Labels) -> Self {
        Self { base, ready: MetricSet::EMPTY, wanted: MetricSet::EMPTY, lost, rank, labels }
    }

    /// Which end reports.
    pub(crate) fn side(&self) -> Side {
        match &self.labels {
            Labels::Of(key) => key.side,
            Labels::Text(side, _) => *side,
        }
    }

    /// The account that pays for its series, unless its rank has none.
    pub(crate) fn account(&self) -> u32 {
        match &self.labels {
            Labels::Of(key) => key.account(),
            Labels::Text(..) => UNKNOWN,
        }
    }

    /// Whether an account pays for its series.
    pub(crate) fn is_charged(&self) -> bool {
        matches!(self.rank, Rank::Vouched | Rank::Plain)
    }

    /// Counts what can be counted and returns the metrics that wait.
    pub(crate) fn emit(&self, effects: &mut Effects, values: &Values) -> MetricSet {
        let mut left = MetricSet::EMPTY;
        for metric in Metric::ALL {
            if let Some(value) = *values.get(metric) {
                match (self.ready.contains(metric), metric.kind()) {
                    (false, _) => left.insert(metric),
                    (true, MetricKind::Counter) => effects.add(self.series(metric), value),
                    (true, _) => effects.record(self.series(metric), value),
                }
            }
        }
        left
    }

    /// The metrics among `metrics` that were used and that Envoy does not have.
    pub(crate) fn missing(&self, metrics: MetricSet) -> MetricSet {
        self.wanted.without(self.ready).and(metrics)
    }

    /// Marks metrics as used. Returns those that were not before.
    pub(crate) fn want(&mut self, metrics: MetricSet) -> MetricSet {
        let new = metrics.without(self.wanted);
        self.wanted = self.wanted.or(new);
        new
    }

    /// Envoy has a metric.
    pub(crate) fn defined(&mut self, metric: Metric) {
        self.ready.insert(metric);
    }

    /// The series of a metric.
    pub(crate) fn series(&self, metric: Metric) -> SeriesId {
        self.base + metric.offset()
    }
}
