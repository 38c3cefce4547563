//! What a decision leaves behind: a count, and a text for the access log.

mod expressions;
mod quarantine;
mod shadow;

pub(crate) use expressions::ExpressionMetrics;
pub(crate) use quarantine::QuarantineMetrics;
pub(crate) use shadow::ShadowMetrics;

use crate::{Decision, Reason, RuleName};
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
    /// Policies under dry run, all together.
    DryRun,
    /// AUDIT policies.
    Audit,
}

impl DecisionMode {
    /// The word in metrics and records.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Enforced => "enforced",
            Self::Shadow | Self::DryRun => "shadow",
            Self::Audit => "audit",
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
type Key = (DecisionMode, Option<u32>, bool, Reason);

impl DecisionMetrics {
    #[inline(never)]
    pub(crate) fn new(plugin: &str, ids: &SeriesIds) -> Self {
        Self { plugin: plugin.into(), series: Series::new(ids, BUDGET, stat_name(&other(plugin), METRIC)) }
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
    stat_name(&labels(plugin, decision, mode, &policy, &rule), METRIC)
}

/// The labels of a decision.
fn labels<'l>(
    plugin: &'l str,
    decision: &Decision<'_>,
    mode: DecisionMode,
    policy: &'l str,
    rule: &'l str,
) -> [(&'static str, &'l str); 6] {
    [
        ("weir_plugin", plugin),
        ("decision", decision.word()),
        ("mode", mode.word()),
        ("reason", decision.reason.word()),
        ("authz_policy", policy),
        ("authz_rule", rule),
    ]
}

/// The labels of the series that decisions share which have none of their own.
fn other(plugin: &str) -> [(&'static str, &str); 6] {
    let names = ["weir_plugin", "decision", "mode", "reason", "authz_policy", "authz_rule"];
    names.map(|name| (name, if name == "weir_plugin" { plugin } else { "other" }))
}

/// The text for the access log, such as `deny ns/name[0]` or `deny ns/name[0] direct-address-unknown`, and behind it, where an
/// AUDIT policy matches, ` audit ns/name[0]`. `None` if no rule had a say.
#[inline(never)]
pub(crate) fn access_log_text(
    decision: &Decision<'_>,
    mode: DecisionMode,
    audited: Option<RuleName<'_>>,
) -> Option<Vec<u8>> {
    let word = if decision.allow { "allow " } else { "deny " };
    if decision.rule.is_none() && decision.allow && audited.is_none() {
        return None;
    }
    let mut text = String::from(if mode == DecisionMode::Enforced { "" } else { "shadow " });
    text.push_str(word);
    match &decision.rule {
        Some(rule) => push_rule(&mut text, rule),
        None => text.push('-'),
    }
    if let Some(source) = decision.unknown {
        text.extend([" ", source, "-unknown"]);
    }
    if let Reason::Provider | Reason::Error | Reason::FailureModeAllowed = decision.reason {
        text.extend([" ", decision.reason.word()]);
    }
    if let Some(rule) = &audited {
        text.push_str(" audit ");
        push_rule(&mut text, rule);
    }
    Some(text.into_bytes())
}

fn push_rule(text: &mut String, rule: &RuleName<'_>) {
    let RuleName { namespace, policy, index } = rule;
    text.extend([namespace, "/", policy, "[", &index.to_string(), "]"]);
}
