//! Counts what each policy under dry run says as if it were the only one.
//!
//! Most policies match few requests. What a policy says of those that it does not match is counted with a tick, in one sum, so
//! that a request costs what matches it, however many policies are tried.

use super::{DecisionMode, labels, other};
use crate::Decision;
use crate::compiled::Compiled;
use crate::decide::{Alone, Found};
use std::time::Duration;
use weir_metrics::{Series, SeriesIds, stat_name};
use weir_model::{Effects, MetricKind};

/// The most series of one VM; what does not fit shares one.
const BUDGET: usize = 1024;

const METRIC: &str = "weir_policy_shadow_decisions_total";

/// How long sums may wait; those of the shell wait as long.
const FLUSH: Duration = Duration::from_millis(250);

/// Counts the decisions of policies under dry run, each alone.
#[derive(Debug)]
pub(crate) struct ShadowMetrics {
    plugin: Box<str>,
    series: Series<Key>,
    /// Of each policy under dry run how many of `requests` a rule of it matched, or may have.
    met: Vec<u64>,
    /// Requests since the last flush.
    requests: u64,
}

/// The policy, the rule, and why; the outcome follows from these.
type Key = (u32, Option<u32>, crate::Reason);

impl ShadowMetrics {
    #[inline(never)]
    pub(crate) fn new(plugin: &str, ids: &SeriesIds, compiled: &Compiled) -> Self {
        Self {
            plugin: plugin.into(),
            series: Series::new(ids, BUDGET, stat_name(&other(plugin), METRIC)),
            met: vec![0; compiled.shadow.len()],
            requests: 0,
        }
    }

    /// Counts a request, of which the policies in `alone` had something to say.
    pub(crate) fn count(&mut self, compiled: &Compiled, alone: &[Alone], effects: &mut Effects) {
        self.requests = self.requests.saturating_add(1);
        for Alone { policy, found } in alone {
            let place = compiled.shadow.binary_search_by_key(policy, |(policy, _)| *policy).unwrap_or(usize::MAX);
            if let Some(met) = self.met.get_mut(place) {
                *met = met.saturating_add(1);
            }
            self.add(compiled, place, *found, 1, effects);
        }
    }

    /// How soon [`ShadowMetrics::flush`] is wanted, if it is.
    pub(crate) fn period(&self) -> Option<Duration> {
        (self.requests > 0).then_some(FLUSH)
    }

    /// Counts what the policies say of the requests that they did not match.
    #[inline(never)]
    pub(crate) fn flush(&mut self, compiled: &Compiled, effects: &mut Effects) {
        let requests = std::mem::take(&mut self.requests);
        for place in 0..self.met.len() {
            let met = self.met.get_mut(place).map(std::mem::take).unwrap_or_default();
            self.add(compiled, place, Found::default(), requests.saturating_sub(met), effects);
        }
    }

    fn add(&mut self, compiled: &Compiled, place: usize, found: Found, by: u64, effects: &mut Effects) {
        let Some((policy, action)) = compiled.shadow.get(place) else { return };
        if by == 0 {
            return;
        }
        let decision = Decision::alone(compiled, *action, found);
        let key: Key = (*policy, decision.number, decision.reason);
        let plugin = &self.plugin;
        effects.urgent = !decision.allow;
        let id = self.series.get(effects, &key, MetricKind::Counter, || {
            let of = usize::try_from(*policy).ok().and_then(|policy| compiled.policies.get(policy));
            let policy = of.map_or_else(|| "-".to_owned(), |(namespace, name)| format!("{namespace}/{name}"));
            let rule = decision.rule.map_or_else(|| "-".to_owned(), |rule| rule.index.to_string());
            stat_name(&labels(plugin, &decision, DecisionMode::DryRun, &policy, &rule), METRIC)
        });
        effects.urgent = false;
        effects.add(id, by);
    }
}
