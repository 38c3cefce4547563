//! Counts of records: how many were made, and how many were lost and why.

use weir_metrics::{Series, SeriesIds, stat_name};
use weir_model::{Effects, MetricKind};

const MADE: &str = "weir_records_total";
const DROPPED: &str = "weir_dropped_total";

/// Why a record is not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// The queue had no room.
    QueueFull,
    /// The collector answered that it does not take it.
    Rejected,
    /// It was sent several times, and each time the call failed.
    Unavailable,
    /// The configuration ended before it was sent.
    Ended,
    /// The configuration ended before the answer came: the collector may have it.
    Unanswered,
}

impl DropReason {
    /// The word in the metric.
    pub fn word(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
            Self::Ended => "ended",
            Self::Unanswered => "unanswered",
        }
    }
}

/// Counts the records of one stream.
#[derive(Debug)]
pub struct Records {
    plugin: Box<str>,
    stream: &'static str,
    /// `None` counts those that were made. There are no more series than reasons.
    series: Series<Option<DropReason>>,
}

impl Records {
    /// Counts for a plugin; `stream` says which of its records these are.
    #[inline(never)]
    pub fn new(ids: &SeriesIds, plugin: &str, stream: &'static str) -> Self {
        Self { plugin: plugin.into(), stream, series: Series::new(ids, 8, String::new()) }
    }

    /// A record was made.
    pub fn made(&mut self, effects: &mut Effects) {
        self.count(None, 1, effects);
    }

    /// Records are lost.
    pub fn dropped(&mut self, reason: DropReason, count: usize, effects: &mut Effects) {
        self.count(Some(reason), u64::try_from(count).unwrap_or(u64::MAX), effects);
    }

    #[inline(never)]
    fn count(&mut self, reason: Option<DropReason>, count: u64, effects: &mut Effects) {
        if count == 0 {
            return;
        }
        let Self { plugin, stream, series } = self;
        // Losses are to be seen at once, ahead of other counters that wait to be defined.
        effects.urgent = reason.is_some();
        let id = series.get(effects, &reason, MetricKind::Counter, || match reason {
            None => stat_name(&[("weir_plugin", &**plugin), ("stream", stream)], MADE),
            Some(reason) => {
                stat_name(&[("weir_plugin", &**plugin), ("stream", stream), ("reason", reason.word())], DROPPED)
            }
        });
        effects.urgent = false;
        effects.add(id, count);
    }
}
