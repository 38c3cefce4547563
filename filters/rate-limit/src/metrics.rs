//! The filter's own metrics.

use crate::decision::{LimitDecision, Reason};
use crate::table::TableEvents;
use weir_metrics::{Series, SeriesIds, stat_name};
use weir_model::{Effects, MetricKind};

/// The most series of one metric.
const BUDGET: usize = 2_000;

const REQUESTS: &str = "weir_ratelimit_requests_total";
const DECISIONS: &str = "weir_ratelimit_decisions_total";
const EVICTIONS: &str = "weir_ratelimit_evictions_total";
const RESTARTS: &str = "weir_ratelimit_restarted_cells_total";

/// Counts decisions and what happens to the table.
#[derive(Debug)]
pub(crate) struct Metrics {
    plugin: String,
    mode: &'static str,
    requests: Series<bool>,
    /// By the index of the limit and the other labels.
    decisions: Series<(usize, Labels)>,
    evictions: Series<()>,
    restarts: Series<()>,
}

/// The labels by which the series of one limit differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Labels {
    reason: Reason,
    is_over: bool,
    shadow: bool,
}

impl Metrics {
    /// `mode` is the label of decisions that are not by limits in shadow mode.
    pub(crate) fn new(plugin: &str, mode: &'static str) -> Self {
        let ids = SeriesIds::default();
        let labels = [("weir_plugin", plugin), ("limit", "other"), ("decision", "other"), ("mode", mode)];
        Self {
            plugin: plugin.to_owned(),
            mode,
            requests: Series::new(&ids, 2, stat_name(&[("weir_plugin", plugin)], REQUESTS)),
            decisions: Series::new(&ids, BUDGET, stat_name(&labels, DECISIONS)),
            evictions: Series::new(&ids, 1, String::new()),
            restarts: Series::new(&ids, 1, String::new()),
        }
    }

    /// Counts one request.
    pub(crate) fn request(&mut self, effects: &mut Effects, refused: bool) {
        let (plugin, mode) = (&self.plugin, self.mode);
        effects.urgent = refused;
        let series = self.requests.get(effects, &refused, MetricKind::Counter, || {
            stat_name(&[("weir_plugin", plugin.as_str()), ("decision", word(refused)), ("mode", mode)], REQUESTS)
        });
        effects.urgent = false;
        effects.add(series, 1);
    }

    /// Counts what one limit decided.
    pub(crate) fn decision(&mut self, effects: &mut Effects, decision: &LimitDecision, limit: &str) {
        let LimitDecision { limit: index, shadow, reason, .. } = *decision;
        let labels = Labels { reason, is_over: decision.is_over(), shadow };
        let mode = if shadow { "shadow" } else { self.mode };
        let plugin = self.plugin.as_str();
        effects.urgent = labels.is_over;
        let series = self.decisions.get(effects, &(index, labels), MetricKind::Counter, || {
            let pairs = [
                ("weir_plugin", plugin),
                ("limit", limit),
                ("decision", word(labels.is_over)),
                ("mode", mode),
                ("reason", reason.word()),
            ];
            stat_name(&pairs, DECISIONS)
        });
        effects.urgent = false;
        effects.add(series, 1);
    }

    /// Counts what happened to the table.
    pub(crate) fn table_events(&mut self, effects: &mut Effects, events: TableEvents) {
        let TableEvents { evictions, restarts } = events;
        for (series, count, metric) in
            [(&mut self.evictions, evictions, EVICTIONS), (&mut self.restarts, restarts, RESTARTS)]
        {
            if count > 0 {
                let plugin = self.plugin.as_str();
                let name = || stat_name(&[("weir_plugin", plugin)], metric);
                let series = series.get(effects, &(), MetricKind::Counter, name);
                effects.add(series, count);
            }
        }
    }
}

fn word(over: bool) -> &'static str {
    if over { "over_limit" } else { "ok" }
}
