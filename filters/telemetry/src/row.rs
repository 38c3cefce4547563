//! One row: a set of labels and its four series, each of which Envoy gets when it is first used.

use crate::config::Side;
use crate::intern::UNKNOWN;
use crate::key::{Key, Rank};
use weir_model::{Effects, MetricKind, SeriesId};

/// How many metrics a row has.
pub(crate) const METRICS: usize = 4;
/// The bits of all metrics.
const ALL: u8 = 0b1111;

/// The value of each metric for one stream; `None` where Envoy does not tell it.
pub(crate) type Values = [Option<u64>; METRICS];

/// The metrics of a row, in the order of their series: kind, and name behind the prefix.
pub(crate) const METRIC: [(MetricKind, &str); METRICS] = [
    (MetricKind::Counter, "requests_total"),
    (MetricKind::Histogram, "request_duration_milliseconds"),
    (MetricKind::Histogram, "request_bytes"),
    (MetricKind::Histogram, "response_bytes"),
];

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
    /// Metrics that Envoy has, as bits.
    ready: u8,
    /// Metrics that were used, as bits.
    wanted: u8,
    pub(crate) lost: Lost,
    pub(crate) rank: Rank,
    pub(crate) labels: Labels,
}

impl Row {
    pub(crate) fn new(base: SeriesId, rank: Rank, lost: Lost, labels: Labels) -> Self {
        Self { base, ready: 0, wanted: 0, lost, rank, labels }
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

    /// Counts what can be counted and returns the metrics that wait, as bits.
    pub(crate) fn emit(&self, effects: &mut Effects, values: &Values) -> u8 {
        let mut left = 0;
        for (metric, value) in values.iter().enumerate() {
            if let Some(value) = value {
                match (self.ready >> metric & 1, metric) {
                    (0, _) => left |= 1 << metric,
                    (_, 0) => effects.add(self.base, *value),
                    _ => effects.record(self.series(metric), *value),
                }
            }
        }
        left
    }

    /// Metrics of `bits` that were used and that Envoy does not have.
    pub(crate) fn missing(&self, bits: u8) -> u8 {
        self.wanted & !self.ready & bits
    }

    /// Marks metrics as used. Returns those that were not before.
    pub(crate) fn want(&mut self, bits: u8) -> u8 {
        let new = bits & !self.wanted & ALL;
        self.wanted |= new;
        new
    }

    /// Envoy has a metric.
    pub(crate) fn defined(&mut self, metric: usize) {
        self.ready |= 1 << metric;
    }

    /// The series of a metric.
    pub(crate) fn series(&self, metric: usize) -> SeriesId {
        u32::try_from(metric).map_or(self.base, |metric| self.base + metric)
    }
}
