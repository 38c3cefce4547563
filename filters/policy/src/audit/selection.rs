//! Which decisions leave a record.

use crate::metrics::DecisionMode;
use crate::{Decision, Reason, ShadowDecision};
use weir_matching::Glob;
use weir_model::Now;
use weir_records::{Sampler, Share};

/// A decision that may leave a record.
#[derive(Clone, Debug)]
pub(crate) struct Event<'p> {
    pub(crate) decision: Decision<'p>,
    pub(crate) mode: DecisionMode,
    /// The status that the filter answers with, if it does.
    pub(crate) response_code: Option<u16>,
    /// What could not be read, or why the provider of a CUSTOM policy could not be asked.
    pub(crate) failure: Option<&'static str>,
    /// Of shadow policies: those that would refuse by themselves.
    pub(crate) alone: Vec<ShadowDecision<'p>>,
}

impl<'p> Event<'p> {
    /// Of a decision, or of one that depends on a provider for which there was this failure.
    pub(crate) fn new(decision: Decision<'p>, mode: DecisionMode, failure: Option<&'static str>) -> Self {
        Self { decision, mode, response_code: None, failure: failure.or(decision.unknown), alone: Vec::new() }
    }
}

/// What came of a request, as the document names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Deny,
    ShadowDeny,
    Error,
    FailureModeAllowed,
    Audit,
    Allow,
    ShadowAllow,
}

impl Outcome {
    /// Those that are recorded if the document does not say which.
    pub(crate) const DEFAULT: [Self; 5] =
        [Self::Deny, Self::ShadowDeny, Self::Error, Self::FailureModeAllowed, Self::Audit];

    /// The words in the document.
    pub(crate) const WORDS: [(&str, Self); 7] = [
        ("deny", Self::Deny),
        ("shadow_deny", Self::ShadowDeny),
        ("error", Self::Error),
        ("failure_mode_allowed", Self::FailureModeAllowed),
        ("audit", Self::Audit),
        ("allow", Self::Allow),
        ("shadow_allow", Self::ShadowAllow),
    ];

    /// The outcomes that an event is: a refusal for what could not be read is two, and so is a request that passes although
    /// its provider could not be asked.
    fn of(event: &Event<'_>) -> (Self, Option<Self>) {
        let Event { decision, mode, alone, .. } = event;
        let outcome = match (mode, decision.allow && alone.is_empty()) {
            // It is looked at beside the decision, which it does not change.
            (DecisionMode::Audit, _) => return (Self::Audit, None),
            (DecisionMode::Enforced, false) => Self::Deny,
            (DecisionMode::Enforced, true) => Self::Allow,
            (DecisionMode::Shadow | DecisionMode::DryRun, false) => Self::ShadowDeny,
            (DecisionMode::Shadow | DecisionMode::DryRun, true) => Self::ShadowAllow,
        };
        let also = match decision.reason {
            Reason::Unknown | Reason::Error => Some(Self::Error),
            Reason::FailureModeAllowed => Some(Self::FailureModeAllowed),
            Reason::Matched | Reason::NoMatch | Reason::NoPolicy | Reason::Provider => None,
        };
        (outcome, also)
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
        let (outcome, also) = Outcome::of(event);
        let share = |outcome| self.outcomes.iter().find(|(known, _)| *known == outcome).map(|(_, share)| *share);
        let share = match (share(outcome), also.and_then(share)) {
            (Some(share), Some(other)) => share.max(other),
            (Some(share), None) | (None, Some(share)) => share,
            (None, None) => return None,
        };
        (sampler.takes(share, now) && self.is_of_policies(event)).then_some(share)
    }

    fn is_of_policies(&self, event: &Event<'_>) -> bool {
        let Some(policies) = &self.policies else { return true };
        let matches = |name: String| policies.iter().any(|glob| glob.matches(name.as_bytes()));
        let decided_by = event.decision.rule.map_or_else(|| "-".to_owned(), |rule| rule.full_name());
        matches(decided_by) || event.alone.iter().any(|alone| matches(alone.full_name()))
    }

    /// Whether an outcome is recorded.
    pub(super) fn records(&self, outcomes: &[Outcome]) -> bool {
        self.outcomes.iter().any(|(outcome, _)| outcomes.contains(outcome))
    }
}
