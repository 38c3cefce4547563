//! What was decided about a request, by which limit, and why.
//!
//! [`LimitDecision::new`] holds the one `match` that everything else derives from: the labels of metrics, the filter state
//! record, the `x-ratelimit-*` headers and the reply.

use crate::algorithm::{Quota, Retry};
use crate::table::Outcome;

/// Why a limit decided as it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// The hits fit.
    Within,
    /// The limit is configured as unlimited.
    Unlimited,
    /// The hits do not fit.
    Exceeded,
    /// Keys with outstanding usage hold all ways of this key's set.
    Full,
    /// Other workers changed the cell during each try.
    Contended,
    /// Shared data cannot be reached.
    Unavailable,
}

impl Reason {
    /// The word in metrics and filter state.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Within => "within",
            Self::Unlimited => "unlimited",
            Self::Exceeded => "exceeded",
            Self::Full => "full",
            Self::Contended => "contended",
            Self::Unavailable => "unavailable",
        }
    }
}

/// What to do with new keys whose set is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnFull {
    /// They pass and are not counted.
    #[default]
    Allow,
    /// They are refused.
    Deny,
}

/// What a refused client is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The body, and the beginning of the response code details. An excess has Envoy's own word. The client of any other
    /// refusal may be within its limit, so those have words of their own.
    pub(crate) body: &'static str,
    /// When the hits fit, if that is known. The order is that of the waits, the unknown first.
    pub(crate) retry: Option<Retry>,
}

/// What one limit decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LimitDecision {
    /// The index of the limit.
    pub(crate) limit: usize,
    /// Whether the limit is in shadow mode and cannot refuse.
    pub(crate) shadow: bool,
    /// Why it decided so.
    pub(crate) reason: Reason,
    /// What is left of the key's quota, if that is known.
    pub(crate) quota: Option<Quota>,
    /// The refusal, if the request is over this limit.
    pub(crate) refusal: Option<Refusal>,
}

impl LimitDecision {
    /// What follows from charging a limit; `None` stands for an unlimited one.
    pub(crate) fn new(limit: usize, shadow: bool, outcome: Option<Outcome>, on_full: OnFull) -> Self {
        let refusal = |body, retry| Some(Refusal { body, retry });
        let (reason, quota, refusal) = match outcome {
            None => (Reason::Unlimited, None, None),
            Some(Outcome::Taken { quota, .. }) => (Reason::Within, Some(quota), None),
            Some(Outcome::Exceeded { quota, retry }) => {
                let quota = Quota { remaining: 0, ..quota };
                (Reason::Exceeded, Some(quota), refusal("local_rate_limited", Some(retry)))
            }
            Some(Outcome::Full { quota, retry }) => match on_full {
                OnFull::Allow => (Reason::Full, Some(quota), None),
                OnFull::Deny => (Reason::Full, None, refusal("local_rate_limit_full", Some(retry))),
            },
            Some(Outcome::Contended) => (Reason::Contended, None, refusal("local_rate_limit_contended", None)),
            Some(Outcome::Unavailable) => (Reason::Unavailable, None, refusal("local_rate_limit_unavailable", None)),
        };
        Self { limit, shadow, reason, quota, refusal }
    }

    /// Whether the request is over this limit.
    pub(crate) fn is_over(&self) -> bool {
        self.refusal.is_some()
    }

    /// Whether this limit refuses the request.
    pub(crate) fn refuses(&self) -> bool {
        self.is_over() && !self.shadow
    }
}

/// What was decided about a request. One limit stands for all that were asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The request passes, and no limit was asked.
    NoLimit,
    /// The request passes. The limit is the one with the fewest hits left.
    Allowed(LimitDecision),
    /// The request is refused. Of the limits that refuse, the limit is the one with the longest wait.
    Refused(LimitDecision, Refusal),
}

impl Decision {
    /// Weighs what the limits decided, in the order in which they were asked.
    pub(crate) fn of(decisions: &[LimitDecision]) -> Self {
        let enforced = decisions.iter().filter(|decision| !decision.shadow);
        let refusals = enforced.filter_map(|decision| Some((decision, decision.refusal?)));
        // Of equal waits the first one counts.
        if let Some((decision, refusal)) = refusals.rev().max_by_key(|(_, refusal)| refusal.retry) {
            return Self::Refused(*decision, refusal);
        }
        let quotas = decisions.iter().filter_map(|decision| Some((decision, decision.quota?.remaining)));
        let fewest = quotas.min_by_key(|(_, remaining)| *remaining).map(|(decision, _)| decision);
        fewest.or(decisions.first()).map_or(Self::NoLimit, |decision| Self::Allowed(*decision))
    }

    /// Whether the request is refused.
    pub(crate) fn refuses(&self) -> bool {
        matches!(self, Self::Refused(..))
    }
}

#[cfg(test)]
mod tests;
