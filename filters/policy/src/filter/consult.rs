//! Deciding where a CUSTOM policy has a provider asked.

use super::leaving::{Concluded, FORBIDDEN, Leaving};
use super::{Policy, forbidden};
use crate::compiled::Enforcement;
use crate::conditions::evaluate;
use crate::custom::{Asking, Consulted, Failure, Pending, asking};
use crate::decide::{Decided, KeptDecided, Results, decide};
use crate::metrics::DecisionMode;
use crate::stream::Stream;
use crate::{Decision, Reason};
use weir_config::Mode;
use weir_model::{Attribute, Edits, Facts, Io, Kept, Late, Now, Verdict};

/// What a provider was asked about, and what came of it.
struct Settling<'s> {
    /// The number of the rule that asks.
    rule: u32,
    decided: DecisionMode,
    found: Decided<'s>,
    consulted: Consulted,
    /// The request, as the provider has edited it.
    facts: &'s Facts<'s>,
}

impl Policy {
    /// Decides on a request about which a provider may have to be asked.
    #[inline(never)]
    pub(super) fn consult(
        &mut self,
        stream: &mut Stream,
        facts: &Facts<'_>,
        edits: &mut Edits,
        io: &mut Io<'_>,
    ) -> Verdict {
        if self.mode == Mode::Off || self.is_inert(facts, io) {
            return Verdict::Continue;
        }
        let decided = self.decided(io.now);
        let Self { compiled, scratch, metrics, beside, audit, access_log_state, custom, conditions, .. } = self;
        let found = decide(compiled, facts, &|number| evaluate(conditions.as_deref(), io, number), scratch);
        let Some((custom, rule)) = custom.as_mut().zip(asking(compiled, found.found)) else {
            if let Some(conditions) = conditions {
                conditions.count(compiled, found.failed, io.effects);
            }
            let enforced = Decision::of(compiled, found.found, Enforcement::Enforced);
            let mut leaving = Leaving { compiled, metrics, beside, audit, access_log_state: *access_log_state };
            let concluded = Concluded { decision: &enforced, mode: decided, found, status: FORBIDDEN, failure: None };
            let refuses = leaving.conclude(&concluded, facts, stream, edits, io);
            return if refuses { forbidden(&enforced) } else { Verdict::Continue };
        };
        let found = KeptDecided::new(found);
        let mut results = Results::default();
        if let Some(conditions) = conditions {
            // While the request waits, Envoy evaluates nothing about it.
            if custom.may_ask() {
                results = scratch.evaluate_ahead(compiled, &|number| evaluate(Some(conditions), io, number));
            }
            conditions.count(compiled, scratch.failed(), io.effects);
        }
        let (consulted, found) = match custom.ask((rule, decided), (found, results), facts, io) {
            Asking::Sent(check) if decided != DecisionMode::Enforced => {
                // The request will be gone when the answer comes.
                if let Some(late) = io.late.as_mut().filter(|_| audit.is_some()) {
                    custom.keep_late(check, Kept::new(&late.read(false)));
                }
                return Verdict::Continue;
            }
            Asking::Sent(check) => {
                stream.asked.get_or_insert_default().check = Some(check);
                return Verdict::Await(check);
            }
            Asking::Settled(consulted, found) => (consulted, found),
        };
        let settling = Settling { rule, decided, found: found.decided(), consulted, facts };
        self.settle(stream, settling, edits, io)
    }

    /// Decides about a request that a provider was asked about, as it is after the provider's edits.
    #[inline(never)]
    pub(super) fn resettle(
        &mut self,
        stream: &mut Stream,
        mut pending: Pending,
        edits: &mut Edits,
        io: &mut Io<'_>,
    ) -> Verdict {
        let is_seen = pending.metadata.is_some() && self.request.attributes.contains(&Attribute::DynamicMetadata);
        let metadata = pending.take_metadata(is_seen);
        edits.filter_state.extend(metadata.map(|text| ("weir.authz_metadata", text.into_bytes())));
        let Pending { rule, decided, mut kept, late, mut found, results, consulted, .. } = pending;
        let mut consulted = consulted.unwrap_or(Consulted::failed(Failure::NotSent));
        if let Consulted::Allowed(changes) = &mut consulted {
            let changed = changes.edit_request(&mut kept);
            if !changed.is_empty() || is_seen {
                let evaluate = |number| results.get(number);
                found = KeptDecided::new(decide(&self.compiled, &kept.facts(), &evaluate, &mut self.scratch));
            }
            edits.request_headers.extend(changed);
        }
        let settling = Settling { rule, decided, found: found.decided(), consulted, facts: &kept.facts() };
        let Some(kept) = late else { return self.settle(stream, settling, edits, io) };
        let mut late = KeptLate { now: io.now, kept };
        let io = &mut Io { late: Some(&mut late), ..Io::new(io.now, io.cells, io.effects) };
        self.settle(stream, settling, edits, io)
    }

    /// Decides about a request that a CUSTOM rule matches.
    #[inline(never)]
    fn settle(&mut self, stream: &mut Stream, settling: Settling<'_>, edits: &mut Edits, io: &mut Io<'_>) -> Verdict {
        let Settling { rule, decided, found, consulted, facts } = settling;
        let Self { compiled, metrics, beside, audit, access_log_state, custom, .. } = self;
        let mut enforced = Decision::of(compiled, found.found, Enforcement::Enforced);
        let of_provider = |allow, reason| Decision::of_provider(compiled, rule, allow, reason);
        let passed = |reason| (None, reason);
        let failure = consulted.failure();
        let (refusal, reason) = match consulted {
            Consulted::Allowed(changes) => {
                if !changes.response.is_empty() {
                    stream.asked.get_or_insert_default().response = changes.response;
                }
                passed(Reason::Provider)
            }
            Consulted::Refused(reply) => (Some(reply), Reason::Provider),
            Consulted::Failed(failure, said) => {
                match custom.as_ref().and_then(|custom| custom.refusal(compiled, rule, failure, said)) {
                    Some(reply) => (Some(reply), Reason::Error),
                    None => passed(Reason::FailureModeAllowed),
                }
            }
        };
        match &refusal {
            Some(_) => enforced = of_provider(false, reason),
            // That a request passed without its check is what matters of it, and a rule that allows it names no more than that.
            None if enforced.allow && (reason == Reason::FailureModeAllowed || enforced.rule.is_none()) => {
                enforced = of_provider(true, reason);
            }
            None => {}
        }
        let concluded = Concluded {
            decision: &enforced,
            mode: decided,
            found,
            status: refusal.as_ref().map_or(FORBIDDEN, |reply| reply.status),
            failure: failure.filter(|_| enforced.reason == reason),
        };
        let mut leaving = Leaving { compiled, metrics, beside, audit, access_log_state: *access_log_state };
        match (leaving.conclude(&concluded, facts, stream, edits, io), refusal) {
            (false, _) => Verdict::Continue,
            (true, Some(reply)) => Verdict::Reply(reply),
            (true, None) => forbidden(&enforced),
        }
    }
}

/// What records need of a request that was not held for its answer.
struct KeptLate {
    now: Now,
    kept: Box<Kept>,
}

impl Late for KeptLate {
    fn now(&self) -> Now {
        self.now
    }

    fn read(&mut self, _headers: bool) -> Facts<'_> {
        self.kept.facts()
    }
}
