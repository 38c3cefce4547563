//! Mode `observe`: at the end of a stream, what Envoy's own RBAC made of the request beside what the policies say.
//!
//! Envoy shows a filter no decision of another one. What is shown is the end of the stream: the response code details say
//! who answered, and RBAC's shadow rules leave their result in dynamic metadata. A request that reached Envoy's router has
//! passed RBAC wherever that stands in the chain. One that another filter answered, or its client left, says nothing.

use weir_metrics::{Series, SeriesIds, stat_name};
use weir_model::{Attribute, Demand, Effects, Facts, MetricKind};
use weir_proto::{Damaged, MetadataView, ValueView};

use crate::Decisions;

const METRIC: &str = "weir_policy_agreement_total";

/// A refusal of RBAC begins with this.
const REFUSED: &[u8] = b"rbac_access_denied_matched_policy[";

/// The response code details of answers that come from the upstream or from the router, which is behind every other filter
/// (Envoy's `stream_info.h`). Behind the word there may be a cause in brackets.
const ROUTED: [&[u8]; 16] = [
    b"via_upstream",
    b"direct_response",
    b"route_not_found",
    b"cluster_not_found",
    b"maintenance_mode",
    b"drop_overload",
    b"unconditional_drop_overload",
    b"no_healthy_upstream",
    b"response_timeout",
    b"upstream_per_try_timeout",
    b"upstream_per_try_idle_timeout",
    b"upstream_max_stream_duration_reached",
    b"upstream_reset_before_response_started",
    b"upstream_reset_after_response_started",
    b"request_payload_exceeded_retry_buffer_limit",
    b"internal_redirect",
];

/// Where RBAC leaves the result of its shadow rules.
const RBAC: &str = "envoy.filters.http.rbac";

/// The keys of that: Istio's of dry-run policies, and the one without a prefix.
const DRY_RUN: [&str; 2] = ["istio_dry_run_deny_shadow_engine_result", "istio_dry_run_allow_shadow_engine_result"];
const SHADOW: &str = "shadow_engine_result";

/// A decision as the labels `native` and `weir` have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Word {
    Allow,
    Deny,
    /// By shadow rules, or policies under dry run.
    ShadowAllow,
    ShadowDeny,
    Unknown,
}

impl Word {
    fn of(allow: bool) -> Self {
        if allow { Self::Allow } else { Self::Deny }
    }

    fn of_shadow(allow: bool) -> Self {
        if allow { Self::ShadowAllow } else { Self::ShadowDeny }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::ShadowAllow => "shadow_allow",
            Self::ShadowDeny => "shadow_deny",
            Self::Unknown => "unknown",
        }
    }
}

/// What the policies have said of a request whose end is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Observed {
    enforced: bool,
    /// Of the policies under dry run, if there are any.
    shadow: Option<bool>,
}

impl Observed {
    pub(crate) fn of(decisions: &Decisions<'_, '_>) -> Self {
        Self { enforced: decisions.enforced.allow, shadow: decisions.shadow.map(|shadow| shadow.allow) }
    }
}

/// What the end of a stream is read for.
pub(crate) fn demand() -> Demand {
    let mut demand = Demand::default();
    demand.attributes.extend([Attribute::ResponseCodeDetails, Attribute::DynamicMetadata]);
    demand
}

/// Counts agreement.
#[derive(Debug)]
pub(crate) struct Agreement {
    plugin: Box<str>,
    series: Series<(Word, Word)>,
}

impl Agreement {
    #[inline(never)]
    pub(crate) fn new(plugin: &str, ids: &SeriesIds) -> Self {
        let other = [("weir_plugin", plugin), ("native", "other"), ("weir", "other")];
        // No more pairs of words come than these.
        Self { plugin: plugin.into(), series: Series::new(ids, 16, stat_name(&other, METRIC)) }
    }

    /// Counts the end of a stream. `observed` is `None` if its request did not come here.
    #[inline(never)]
    pub(crate) fn count(&mut self, observed: Option<Observed>, facts: &Facts<'_>, effects: &mut Effects) {
        let native = native(facts.attributes.bytes(&Attribute::ResponseCodeDetails).unwrap_or_default());
        let Some(Observed { enforced, shadow }) = observed else {
            // RBAC stands ahead of this filter, which therefore sees nothing that it refuses.
            if native == Word::Deny {
                self.add(native, Word::Unknown, effects);
            }
            return;
        };
        self.add(native, Word::of(enforced), effects);
        let metadata = MetadataView::new(facts.attributes.bytes(&Attribute::DynamicMetadata).unwrap_or_default());
        // Shadow rules are compared with policies under dry run; without any, with the policies in force.
        if let Ok(Some(native)) = native_shadow(metadata, shadow.is_some()) {
            self.add(native, Word::of_shadow(shadow.unwrap_or(enforced)), effects);
        }
    }

    fn add(&mut self, native: Word, weir: Word, effects: &mut Effects) {
        let plugin = &self.plugin;
        let id = self.series.get(effects, &(native, weir), MetricKind::Counter, || {
            let labels = [("weir_plugin", &**plugin), ("native", native.text()), ("weir", weir.text())];
            stat_name(&labels, METRIC)
        });
        effects.add(id, 1);
    }
}

/// What RBAC decided, by the response code details.
fn native(details: &[u8]) -> Word {
    if details.starts_with(REFUSED) {
        return Word::Deny;
    }
    let is_end = |byte: &u8| !(byte.is_ascii_alphanumeric() || *byte == b'_');
    let word = details.split(is_end).next().unwrap_or_default();
    if ROUTED.contains(&word) { Word::Allow } else { Word::Unknown }
}

/// What RBAC's shadow rules said, if it has any: as in force, one that denies is enough.
fn native_shadow(metadata: MetadataView<'_>, has_dry_run: bool) -> Result<Option<Word>, Damaged> {
    let Some(fields) = metadata.get(RBAC)? else { return Ok(None) };
    let mut allowed = None;
    for key in DRY_RUN.into_iter().filter(|_| has_dry_run).chain([SHADOW]) {
        let allows = match fields.get(key)? {
            Some(ValueView::Text(b"allowed")) => true,
            Some(ValueView::Text(b"denied")) => false,
            _ => continue,
        };
        allowed = Some(allowed.unwrap_or(true) && allows);
    }
    Ok(allowed.map(Word::of_shadow))
}

#[cfg(test)]
mod tests;
