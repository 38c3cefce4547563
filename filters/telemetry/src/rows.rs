//! The series: one row of four for each set of labels, within the budget; beyond it, rows that keep few labels.
//!
//! Admission has three steps. Below half of the budget every key gets its row. From there on, whatever a client can make
//! up is folded to `other`. At the budget, a stream is counted in a row that keeps only the configured labels, a tenth of
//! the budget more at most, and at last in one row per reporter. Every stream is counted in exactly one row, so totals
//! are exact.

use crate::config::{Settings, Side};
use crate::key::Key;
use crate::known::{Known, Own};
use crate::label::{COUNT, LABELS, Numbers, values};
use std::collections::BTreeMap;
use weir_metrics::{OTHER, SeriesIds, stat_name};
use weir_model::{Effects, MetricKind, SeriesId};

/// The series of one set of labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) requests: SeriesId,
    pub(crate) duration: SeriesId,
    pub(crate) request_bytes: SeriesId,
    pub(crate) response_bytes: SeriesId,
}

/// All rows of one VM.
#[derive(Debug)]
pub(crate) struct Rows {
    ids: SeriesIds,
    own: BTreeMap<Key, Row>,
    /// Keys that are counted in an overflow row; forgotten when there are too many.
    astray: BTreeMap<Key, Row>,
    kept: BTreeMap<String, Row>,
    budget: usize,
    prefix: String,
    keep: [bool; COUNT],
    overflow_name: String,
    overflow: Option<SeriesId>,
}

impl Rows {
    /// The most keys remembered as counted in an overflow row.
    const ASTRAY: usize = 2048;

    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            ids: SeriesIds::default(),
            own: BTreeMap::new(),
            astray: BTreeMap::new(),
            kept: BTreeMap::new(),
            budget: settings.series,
            prefix: settings.prefix.clone(),
            keep: LABELS.map(|label| settings.keep.contains(&label)),
            overflow_name: stat_name(&[("weir_plugin", &settings.name)], "weir_series_overflow_total"),
            overflow: None,
        }
    }

    /// The row that counts a stream with `key`.
    pub(crate) fn row(&mut self, effects: &mut Effects, key: &Key, known: &Known, own: &Own) -> Row {
        if let Some(row) = self.own.get(key) {
            return *row;
        }
        let crowded = self.own.len() >= self.budget.div_ceil(2);
        let key = if crowded { key.folded() } else { *key };
        if let Some(row) = self.own.get(&key) {
            return *row;
        }
        if self.own.len() < self.budget {
            let numbers = Numbers::new(&key);
            let row = self.define(effects, &stat_name(&labelled(values(&key, known, own, &numbers)), ""));
            self.own.insert(key, row);
            return row;
        }
        let overflow = match self.overflow {
            Some(series) => series,
            None => {
                let series = self.ids.allot();
                effects.define(series, MetricKind::Counter, self.overflow_name.clone());
                self.overflow = Some(series);
                series
            }
        };
        effects.add(overflow, 1);
        if let Some(row) = self.astray.get(&key) {
            return *row;
        }
        let row = self.overflow_row(effects, &key, known, own);
        if self.astray.len() >= Self::ASTRAY {
            self.astray.clear();
        }
        self.astray.insert(key, row);
        row
    }

    fn overflow_row(&mut self, effects: &mut Effects, key: &Key, known: &Known, own: &Own) -> Row {
        let numbers = Numbers::new(key);
        let mut labels = labelled(values(key, known, own, &numbers));
        for ((_, value), keep) in labels.iter_mut().zip(self.keep) {
            if !keep {
                *value = OTHER.as_bytes();
            }
        }
        let mut name = stat_name(&labels, "");
        if let Some(row) = self.kept.get(&name) {
            return *row;
        }
        if self.kept.len() >= (self.budget / 10).max(8) {
            let reporter = match key.side {
                Side::Source => "source",
                Side::Destination => "destination",
            };
            name = stat_name(&LABELS.map(|label| (label, if label == "reporter" { reporter } else { OTHER })), "");
            if let Some(row) = self.kept.get(&name) {
                return *row;
            }
        }
        let row = self.define(effects, &name);
        self.kept.insert(name, row);
        row
    }

    /// Defines the four series of `labels`, the encoded labels with nothing behind them.
    fn define(&self, effects: &mut Effects, labels: &str) -> Row {
        let series = |effects: &mut Effects, kind, metric: &str| {
            let series = self.ids.allot();
            effects.define(series, kind, [labels, &self.prefix, metric].concat());
            series
        };
        Row {
            requests: series(effects, MetricKind::Counter, "requests_total"),
            duration: series(effects, MetricKind::Histogram, "request_duration_milliseconds"),
            request_bytes: series(effects, MetricKind::Histogram, "request_bytes"),
            response_bytes: series(effects, MetricKind::Histogram, "response_bytes"),
        }
    }
}

fn labelled(values: [&[u8]; COUNT]) -> [(&'static str, &[u8]); COUNT] {
    let mut values = values.into_iter();
    LABELS.map(|label| (label, values.next().unwrap_or_default()))
}

#[cfg(test)]
mod tests;
