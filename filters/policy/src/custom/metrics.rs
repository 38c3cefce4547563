//! How checks end, counted.

use weir_metrics::{Series, SeriesIds, stat_name};
use weir_model::{Effects, MetricKind};

const METRIC: &str = "weir_policy_provider_calls_total";

/// More than there are outcomes: none is ever folded.
const BUDGET: usize = 16;

/// Counts checks.
#[derive(Debug)]
pub(super) struct CallMetrics {
    plugin: Box<str>,
    provider: Box<str>,
    series: Series<&'static str>,
}

impl CallMetrics {
    #[inline(never)]
    pub(super) fn new(plugin: &str, provider: &str, ids: &SeriesIds) -> Self {
        let series = Series::new(ids, BUDGET, name(plugin, provider, "other"));
        Self { plugin: plugin.into(), provider: provider.into(), series }
    }

    pub(super) fn provider(&self) -> &str {
        &self.provider
    }

    /// Counts one that ended as `outcome` says. Failures are not to be kept out of sight by other counters.
    #[inline(never)]
    pub(super) fn count(&mut self, outcome: &'static str, effects: &mut Effects) {
        let Self { plugin, provider, series } = self;
        effects.urgent = outcome != "ok";
        let id = series.get(effects, &outcome, MetricKind::Counter, || name(plugin, provider, outcome));
        effects.urgent = false;
        effects.add(id, 1);
    }
}

fn name(plugin: &str, provider: &str, outcome: &str) -> String {
    stat_name(&[("weir_plugin", plugin), ("authz_provider", provider), ("outcome", outcome)], METRIC)
}
