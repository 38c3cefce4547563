//! What a decision leaves besides the verdict: counts, a text for the access log, and records.

use super::beside::Beside;
use crate::Decision;
use crate::audit::{Audit, Event};
use crate::compiled::Compiled;
use crate::decide::Decided;
use crate::metrics::{DecisionMetrics, DecisionMode, access_log_text};
use crate::stream::Stream;
use weir_config::AccessLogState;
use weir_model::{Edits, Facts, Io};

/// The status of Envoy's RBAC filter.
pub(super) const FORBIDDEN: u16 = 403;

/// What counts decisions, shows and records them.
pub(super) struct Leaving<'f> {
    pub(super) compiled: &'f Compiled,
    pub(super) metrics: &'f mut DecisionMetrics,
    pub(super) beside: &'f mut Option<Box<Beside>>,
    pub(super) audit: &'f mut Option<Box<Audit>>,
    pub(super) access_log_state: AccessLogState,
}

/// What was decided about a request.
pub(super) struct Concluded<'d> {
    pub(super) decision: &'d Decision<'d>,
    /// What the decision is for.
    pub(super) mode: DecisionMode,
    pub(super) found: Decided<'d>,
    /// The status of the answer, if it refuses.
    pub(super) status: u16,
    /// Why the provider could not be asked that the decision depends on.
    pub(super) failure: Option<&'static str>,
}

impl Leaving<'_> {
    /// Counts what was decided of a request and shows it to the access log. Returns whether the request is refused.
    #[inline(always)]
    pub(super) fn conclude(
        &mut self,
        concluded: &Concluded<'_>,
        facts: &Facts<'_>,
        stream: &mut Stream,
        edits: &mut Edits,
        io: &mut Io<'_>,
    ) -> bool {
        let Self { compiled, metrics, beside, audit, access_log_state } = self;
        let Concluded { decision, mode, found, status, failure } = *concluded;
        metrics.count(decision, mode, io.effects);
        let audited = beside.as_mut().and_then(|beside| beside.request(compiled, found, metrics, stream, io.effects));
        if access_log_state.keeps(!decision.allow || audited.is_some())
            && let Some(text) = access_log_text(decision, mode, audited)
        {
            edits.filter_state.push(("weir.policy", text));
        }
        let refuses = !decision.allow && mode == DecisionMode::Enforced;
        if let Some(audit) = audit {
            let response_code = refuses.then_some(status);
            let event = Event { response_code, ..Event::new(*decision, mode, failure) };
            audit.decided(event, (compiled, found), facts, io);
        }
        refuses
    }
}
