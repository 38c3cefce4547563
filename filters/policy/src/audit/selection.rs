//! Which decisions leave a record.

use crate::metrics::DecisionMode;
use crate::{Decision, Reason};
use weir_matching::Glob;
use weir_model::Now;
use weir_records::{Sampler, Share};

/// A decision that may leave a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'p> {
    pub(crate) decision: Decision<'p>,
    pub(crate) mode: DecisionMode,
    /// The status that the filter answers with, if it does.
    pub(crate) response_code: Option<u16>,
}

/// What came of a request, as the document names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Deny,
    ShadowDeny,
    Error,
    Allow,
    ShadowAllow,
}

impl Outcome {
    /// Those that are recorded if the document does not say which.
    pub(crate) const DEFAULT: [Self; 3] = [Self::Deny, Self::ShadowDeny, Self::Error];

    /// The words in the document.
    pub(crate) const WORDS: [(&str, Self); 5] = [
        ("deny", Self::Deny),
        ("shadow_deny", Self::ShadowDeny),
        ("error", Self::Error),
        ("allow", Self::Allow),
        ("shadow_allow", Self::ShadowAllow),
    ];

    /// The outcomes that an event is; a refusal for what could not be read is two.
    fn of(event: &Event<'_>) -> (Self, Option<Self>) {
        let Event { decision, mode, .. } = event;
        let is_enforced = *mode == DecisionMode::Enforced;
        let outcome = match (decision.allow, is_enforced) {
            (false, true) => Self::Deny,
            (false, false) => Self::ShadowDeny,
            (true, true) => Self::Allow,
            (true, false) => Self::ShadowAllow,
        };
        (outcome, (decision.reason == Reason::Unknown).then_some(Self::Error))
    }
}

/// Which decisions leave a record.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    /// The share of each outcome that is recorded; none of those that are not here.
    pub(crate) outcomes: Vec<(Outcome, Share)>,
    /// Patterns of `NS/NAME`, or `-` where no policy decided; all if there are none.
    pub(crate) policies: Option<Box<[Glob]>>,
}

impl Selection {
    /// The share that an event is one of, if it leaves a record.
    pub(super) fn share(&self, event: &Event<'_>, sampler: &mut Sampler, now: impl FnOnce() -> Now) -> Option<Share> {
        let (outcome, error) = Outcome::of(event);
        let share = |outcome| self.outcomes.iter().find(|(known, _)| *known == outcome).map(|(_, share)| *share);
        let share = match (share(outcome), error.and_then(share)) {
            (Some(share), Some(other)) => share.max(other),
            (Some(share), None) | (None, Some(share)) => share,
            (None, None) => return None,
        };
        (sampler.takes(share, now) && self.is_of_policies(event)).then_some(share)
    }

    fn is_of_policies(&self, event: &Event<'_>) -> bool {
        let Some(policies) = &self.policies else { return true };
        let name = match event.decision.rule {
            Some(rule) => rule.full_name(),
            None => "-".to_owned(),
        };
        policies.iter().any(|glob| glob.matches(name.as_bytes()))
    }
}
