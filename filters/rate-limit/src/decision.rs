//! What was decided about a request and by which limit: the one value that reply, headers, filter state and metrics speak of.

use crate::algorithm::Standing;
use crate::table::Outcome;

/// Why a limit said what it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// The hits fit.
    Within,
    /// The limit does not limit.
    Unlimited,
    /// The hits do not fit.
    Exceeded,
    /// Busy keys have the place of this one.
    Full,
    /// Other workers changed the state every time.
    Contended,
    /// The state cannot be reached.
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

    /// The body of a refusal and the beginning of its response code details. An excess is told in Envoy's own word; the others
    /// are no excess and must not look like one.
    pub(crate) fn refusal(self) -> &'static str {
        match self {
            Self::Within | Self::Unlimited | Self::Exceeded => "local_rate_limited",
            Self::Full => "local_rate_limit_full",
            Self::Contended => "local_rate_limit_contended",
            Self::Unavailable => "local_rate_limit_unavailable",
        }
    }
}

/// When refused hits may come again, in the order of how long that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wait {
    /// The limit was not the reason, so it cannot tell.
    Unknown,
    /// After so many nanoseconds.
    Nanos(u64),
    /// They are more than the limit ever lets through.
    Forever,
}

impl Wait {
    fn of(retry: Option<u64>) -> Self {
        retry.map_or(Self::Forever, Self::Nanos)
    }
}

/// What one limit said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Which limit.
    pub(crate) limit: usize,
    /// Whether it cannot refuse.
    pub(crate) shadow: bool,
    /// Why.
    pub(crate) reason: Reason,
    /// How long to wait, if the hits do not pass this limit.
    pub(crate) refusal: Option<Wait>,
    /// How the key stands, if that is known.
    pub(crate) standing: Option<Standing>,
}

impl Answer {
    /// What came of charging a limit; `None` is a limit that does not limit. `deny_full` refuses new keys whose place is
    /// taken by busy ones.
    pub(crate) fn new(limit: usize, shadow: bool, outcome: Option<Outcome>, deny_full: bool) -> Self {
        let (reason, refusal, standing) = match outcome {
            None => (Reason::Unlimited, None, None),
            Some(Outcome::Taken { standing, .. }) => (Reason::Within, None, Some(standing)),
            Some(Outcome::Exceeded { standing, retry }) => {
                (Reason::Exceeded, Some(Wait::of(retry)), Some(Standing { remaining: 0, ..standing }))
            }
            Some(Outcome::Full { retry, .. }) if deny_full => (Reason::Full, Some(Wait::of(retry)), None),
            Some(Outcome::Full { standing, .. }) => (Reason::Full, None, Some(standing)),
            Some(Outcome::Contended) => (Reason::Contended, Some(Wait::Unknown), None),
            Some(Outcome::Unavailable) => (Reason::Unavailable, Some(Wait::Unknown), None),
        };
        Self { limit, shadow, reason, refusal, standing }
    }

    /// Whether the hits do not pass this limit.
    pub(crate) fn over(&self) -> bool {
        self.refusal.is_some()
    }

    /// Whether this limit refuses the request.
    pub(crate) fn refuses(&self) -> bool {
        self.over() && !self.shadow
    }
}

/// What was decided about a request, and the one limit that speaks for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It passes, and no limit was asked.
    Unasked,
    /// It passes. The limit with the fewest hits left speaks.
    Passes(Answer),
    /// It is refused. Of the limits that refuse, the one with the longest wait speaks.
    Refused(Answer, Wait),
}

impl Decision {
    /// Weighs what the limits said, in the order in which they were asked.
    pub(crate) fn of(answers: &[Answer]) -> Self {
        let waits = answers.iter().filter(|answer| !answer.shadow).filter_map(|answer| Some((answer, answer.refusal?)));
        // Of equal ones the first speaks.
        if let Some((answer, wait)) = waits.rev().max_by_key(|(_, wait)| *wait) {
            return Self::Refused(*answer, wait);
        }
        let standing = answers.iter().filter_map(|answer| Some((answer, answer.standing?.remaining)));
        let nearest = standing.min_by_key(|(_, remaining)| *remaining).map(|(answer, _)| answer);
        nearest.or(answers.first()).map_or(Self::Unasked, |answer| Self::Passes(*answer))
    }

    /// Whether the request is refused.
    pub(crate) fn refuses(&self) -> bool {
        matches!(self, Self::Refused(..))
    }
}

#[cfg(test)]
mod tests;
