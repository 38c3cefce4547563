//! Counts the requests that policies decide on of which something is quarantined: that they do, and since when, shows in metrics.

use weir_metrics::{Series, SeriesIds, stat_name};
use weir_model::{Effects, MetricKind};

const METRIC: &str = "weir_policy_quarantined_total";

/// One counter.
#[derive(Debug)]
pub(crate) struct QuarantineMetrics {
    name: String,
    series: Series<()>,
}

impl QuarantineMetrics {
    #[inline(never)]
    pub(crate) fn new(plugin: &str, ids: &SeriesIds) -> Self {
        let name = stat_name(&[("weir_plugin", plugin)], METRIC);
        Self { series: Series::new(ids, 1, name.clone()), name }
    }

    /// Counts a request.
    #[inline(never)]
    pub(crate) fn count(&mut self, effects: &mut Effects) {
        let name = &self.name;
        let id = self.series.get(effects, &(), MetricKind::Counter, || name.clone());
        effects.add(id, 1);
    }
}
