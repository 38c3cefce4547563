//! Counts expressions that failed, by the rule that asked: in a DENY policy such a rule refuses.

use crate::RuleName;
use crate::compiled::Compiled;
use weir_metrics::{Series, SeriesIds, stat_name};
use weir_model::{Effects, MetricKind};

/// The most series of one VM; more rules than this share one.
const BUDGET: usize = 256;

const METRIC: &str = "weir_policy_cel_errors_total";

/// One counter for each rule.
#[derive(Debug)]
pub(crate) struct ExpressionMetrics {
    plugin: Box<str>,
    series: Series<u32>,
}

impl ExpressionMetrics {
    #[inline(never)]
    pub(crate) fn new(plugin: &str, ids: &SeriesIds) -> Self {
        Self { plugin: plugin.into(), series: Series::new(ids, BUDGET, name(plugin, "other", "other")) }
    }

    /// Counts a failure. Refusals are not to be kept out of sight by other counters.
    #[inline(never)]
    pub(crate) fn count(&mut self, compiled: &Compiled, rule: u32, effects: &mut Effects) {
        let Self { plugin, series } = self;
        effects.urgent = true;
        let id = series.get(effects, &rule, MetricKind::Counter, || match compiled.rule_name(rule) {
            Some(RuleName { namespace, policy, index }) => {
                name(plugin, &format!("{namespace}/{policy}"), &index.to_string())
            }
            None => name(plugin, "-", "-"),
        });
        effects.urgent = false;
        effects.add(id, 1);
    }
}

fn name(plugin: &str, policy: &str, rule: &str) -> String {
    stat_name(&[("weir_plugin", plugin), ("authz_policy", policy), ("authz_rule", rule)], METRIC)
}
