//! The filter's own metrics.

use crate::decision::{Answer, Reason};
use crate::table::Tally;
use weir_metrics::{Series, SeriesIds, stat_name};
use weir_model::{Effects, MetricKind};

/// The most series of one metric.
const BUDGET: usize = 2_000;

const REQUESTS: &str = "weir_ratelimit_requests_total";
const DECISIONS: &str = "weir_ratelimit_decisions_total";

/// Counts what was decided.
#[derive(Debug)]
pub(crate) struct Meter {
    plugin: String,
    mode: &'static str,
    requests: Series<bool>,
    decisions: Series<(usize, bool, bool, Reason)>,
    evictions: Series<()>,
    restarts: Series<()>,
}

impl Meter {
    /// `mode` is the word for decisions that could refuse.
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

    /// One request.
    pub(crate) fn request(&mut self, effects: &mut Effects, over: bool) {
        let (plugin, mode) = (&self.plugin, self.mode);
        let series = self.requests.get(effects, &over, MetricKind::Counter, || {
            stat_name(&[("weir_plugin", plugin.as_str()), ("decision", decision(over)), ("mode", mode)], REQUESTS)
        });
        effects.add(series, 1);
    }

    /// One limit consulted.
    pub(crate) fn answer(&mut self, effects: &mut Effects, answer: &Answer, limit: &str) {
        let mode = if answer.shadow { "shadow" } else { self.mode };
        let key = (answer.limit, answer.over(), answer.shadow, answer.reason);
        let plugin = self.plugin.as_str();
        let series = self.decisions.get(effects, &key, MetricKind::Counter, || {
            let labels = [
                ("weir_plugin", plugin),
                ("limit", limit),
                ("decision", decision(answer.over())),
                ("mode", mode),
                ("reason", answer.reason.word()),
            ];
            stat_name(&labels, DECISIONS)
        });
        effects.add(series, 1);
    }

    /// What the table counted.
    pub(crate) fn tally(&mut self, effects: &mut Effects, tally: Tally) {
        for (series, count, metric) in [
            (&mut self.evictions, tally.evicted, "weir_ratelimit_evictions_total"),
            (&mut self.restarts, tally.restarted, "weir_ratelimit_restarted_cells_total"),
        ] {
            if count > 0 {
                let plugin = self.plugin.as_str();
                let series =
                    series.get(effects, &(), MetricKind::Counter, || stat_name(&[("weir_plugin", plugin)], metric));
                effects.add(series, count);
            }
        }
    }
}

fn decision(over: bool) -> &'static str {
    if over { "over_limit" } else { "ok" }
}
