//! Which parts there are.

use weir_model::{Demand, Phase};

/// A part of the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Policy,
    RateLimit,
    Telemetry,
}

impl Part {
    /// The number by which the shell knows what belongs to which part: metrics, offers and callouts.
    pub(crate) fn owner(self) -> u8 {
        match self {
            Self::Policy => 0,
            Self::RateLimit => 1,
            Self::Telemetry => 2,
        }
    }

    /// The part of that number.
    pub(crate) fn of_owner(owner: u8) -> Option<Self> {
        [Self::Policy, Self::RateLimit, Self::Telemetry].into_iter().find(|part| part.owner() == owner)
    }
}

/// When each part's next tick is due, on the monotonic clock in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Due {
    pub(crate) policy: u64,
    pub(crate) rate_limit: u64,
    pub(crate) telemetry: u64,
}

/// What all parts together read.
#[derive(Clone, Debug)]
pub(crate) struct Demands {
    request: Demand,
    response: Demand,
    end: Demand,
    end_unseen: Demand,
}

impl Demands {
    /// One demand for each phase.
    #[inline(never)]
    pub(crate) fn new(of: impl Fn(Phase) -> Demand) -> Self {
        Self {
            request: of(Phase::Request),
            response: of(Phase::Response),
            end: of(Phase::End),
            end_unseen: of(Phase::EndUnseen),
        }
    }

    /// The demand of a phase.
    pub(crate) fn of(&self, phase: Phase) -> &Demand {
        match phase {
            Phase::Request => &self.request,
            Phase::Response => &self.response,
            Phase::End => &self.end,
            Phase::EndUnseen => &self.end_unseen,
        }
    }
}
