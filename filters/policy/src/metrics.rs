//! What a decision leaves behind: a count, and a text for the access log.

use crate::{Decision, RuleName};
use weir_metrics::{Series, SeriesIds, stat_name};
use weir_model::{Effects, MetricKind};

/// The most series of one VM; more rules than this share one.
const BUDGET: usize = 2048;

const METRIC: &str = "weir_policy_decisions_total";

/// What a decision is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DecisionMode {
    Enforced,
    /// The whole filter is in mode shadow.
    Shadow,
    /// Policies under dry run.
    DryRun,
}

impl DecisionMode {
    /// The word in metrics and records.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Enforced => "enforced",
            Self::Shadow | Self::DryRun => "shadow",
        }
    }
}

/// Counts decisions.
#[derive(Debug)]
pub(crate) struct DecisionMetrics {
    plugin: Box<str>,
    series: Series<Key>,
}

/// A series: the rule, if there is one, and its outcome.
type Key = (DecisionMode, Option<u32>, bool, crate::Reason);

impl DecisionMetrics {
    #[inline(never)]
    pub(crate) fn new(ids: &SeriesIds, plugin: &str) -> Self {
        let other = [
            ("weir_plugin", plugin),
            ("decision", "other"),
            ("mode", "other"),
            ("reason", "other"),
            ("authz_policy", "other"),
            ("authz_rule", "other"),
        ];
        Self { plugin: plugin.into(), series: Series::new(ids, BUDGET, stat_name(&other, METRIC)) }
    }

    /// Counts `decision`.
    pub(crate) fn count(&mut self, decision: &Decision<'_>, mode: DecisionMode, effects: &mut Effects) {
        let key: Key = (mode, decision.number, decision.allow, decision.reason);
        let plugin = &self.plugin;
        effects.urgent = !decision.allow;
        let id = self.series.get(effects, &key, MetricKind::Counter, || name(plugin, decision, mode));
        effects.urgent = false;
        effects.add(id, 1);
    }
}

/// The name of the counter of a decision, with its labels.
pub(crate) fn name(plugin: &str, decision: &Decision<'_>, mode: DecisionMode) -> String {
    let (policy, rule) = decision.authz_labels();
    let labels = [
        ("weir_plugin", plugin),
        ("decision", decision.word()),
        ("mode", mode.word()),
        ("reason", decision.reason.word()),
        ("authz_policy", policy.as_str()),
        ("authz_rule", rule.as_str()),
    ];
    stat_name(&labels, METRIC)
}

/// The text for the access log, such as `deny ns/name[0]` or `deny ns/name[0] direct-address-unknown`; `None` if nothing was there to decide.
#[inline(never)]
pub(crate) fn access_log_text(decision: &Decision<'_>, mode: DecisionMode) -> Option<Vec<u8>> {
    let word = if decision.allow { "allow " } else { "deny " };
    if decision.rule.is_none() && decision.allow {
        return None;
    }
    let mut text = String::from(if mode == DecisionMode::Enforced { "" } else { "shadow " });
    text.push_str(word);
    match &decision.rule {
        Some(RuleName { namespace, policy, index }) => {
            text.extend([namespace, "/", policy, "[", &index.to_string(), "]"]);
        }
        None => text.push('-'),
    }
    if let Some(source) = decision.unknown {
        text.extend([" ", source, "-unknown"]);
    }
    Some(text.into_bytes())
}
