//! The filter: what the shell calls.

mod beside;
mod consult;
mod leaving;

use crate::audit::Audit;
use crate::compiled::{Compiled, Enforcement, compile};
use crate::conditions::{Conditions, evaluate};
use crate::config::{self, Document, Reading};
use crate::custom::{self, Custom};
use crate::decide::{Scratch, decide};
use crate::demand::demand;
use crate::fraction::Fraction;
use crate::metrics::{DecisionMetrics, DecisionMode};
use crate::stream::Stream;
use crate::{Decision, Decisions, Protocol, observe};
use beside::Beside;
use leaving::{Concluded, FORBIDDEN, Leaving};
use std::time::Duration;
use weir_config::{AccessLogState, Common, Cursor, Fields, Mode, read_document};
use weir_metrics::SeriesIds;
use weir_model::{
    Answer, Attribute, CallId, Callbacks, Demand, Direction, Edits, Effects, Expression, Facts, Filter, Io, Level,
    Need, Node, Now, Phase, Problems, ProxyKind, Reply, Resumption, Verdict, Warning,
};

/// The authorization filter: a compiled configuration and what one VM remembers.
///
/// Decides while request headers are there, unless a CUSTOM policy matches: then it awaits what the provider answers. In mode
/// `observe` it compares that with what Envoy's own RBAC did when the stream ends.
#[derive(Debug)]
pub struct Policy {
    compiled: Compiled,
    mode: Mode,
    /// The requests whose refusals are enforced in mode `enforce`.
    share: Fraction,
    access_log_state: AccessLogState,
    request: Demand,
    end: Demand,
    /// Policies are for what comes in: on an outbound listener of a sidecar they are inert. `true` if a stream's listener
    /// must be asked for its direction.
    inbound_only: bool,
    said_inert: bool,
    metrics: DecisionMetrics,
    beside: Option<Box<Beside>>,
    audit: Option<Box<Audit>>,
    scratch: Scratch,
    custom: Option<Box<Custom>>,
    conditions: Option<Box<Conditions>>,
    response: Demand,
    warnings: Vec<Warning>,
}

/// The body of Envoy's RBAC filter.
pub(crate) const REFUSED: &[u8] = b"RBAC: access denied";

/// Why policies do nothing on an outbound listener.
const INERT: &str = "policies are for inbound requests and do nothing on this outbound listener";

impl Policy {
    /// Reads the policy document as a section of a larger one, `whole`. `None` if there was a problem; all problems go
    /// where `at` points.
    #[inline(never)]
    pub fn read(at: Cursor<'_>, whole: &Common, node: &Node) -> Option<Self> {
        let mut fields = at.object()?;
        let common = whole.of_section(&mut fields);
        Some(Self::new(read(fields, common, node, Reading::Workload)?, Protocol::Http))
    }

    /// Compiles a document.
    #[inline(never)]
    pub(crate) fn new(document: Document, protocol: Protocol) -> Self {
        let Document { common, share, workload, objects, quarantines, quarantined, providers, audit } = document;
        let Common { name, mode, access_log_state, listener } = common;
        let ids = SeriesIds::default();
        let custom = Custom::new(&name, &objects, providers, workload.direct_address.as_deref(), &ids);
        let compiled = compile(objects, &workload);
        let of_sidecar = workload.proxy == Some(ProxyKind::Sidecar) && !compiled.sections.is_empty();
        let inbound_only = of_sidecar && listener.is_none();
        let mut request = Demand::idle().union(&demand(&compiled));
        if inbound_only {
            request.attributes.insert(Attribute::ListenerDirection);
        }
        let mut response = Demand::idle();
        if let Some(custom) = &custom {
            request = request.union(&custom.demand());
            response = custom.response_demand();
        }
        let is_inert = of_sidecar && listener == Some(Direction::Outbound);
        let mode = if is_inert { Mode::Off } else { mode };
        // A draw is by the time.
        request.monotonic_clock |= mode == Mode::Enforce && share.is_partial();
        let audit = audit.map(|settings| Box::new(Audit::new(settings, protocol, &name, &ids)));
        if let Some(audit) = &audit {
            let read = |attribute: &Attribute| request.attributes.contains(attribute);
            request.late = audit.demand().iter().filter(|attribute| !read(attribute)).cloned().collect();
        }
        if mode == Mode::Off {
            request = Demand::idle();
            response = Demand::idle();
        }
        let scratch = Scratch::new(&compiled);
        let others = custom.as_ref().map_or(0, |custom| custom.expressions().len());
        Self {
            conditions: Conditions::new(&name, &ids, &compiled, others, !quarantines),
            beside: Beside::new(&name, &ids, &compiled, mode, quarantined),
            metrics: DecisionMetrics::new(&name, &ids),
            compiled,
            mode,
            share,
            access_log_state,
            request,
            end: if mode == Mode::Observe { observe::demand() } else { Demand::idle() },
            inbound_only,
            said_inert: false,
            audit: audit.filter(|_| mode != Mode::Off),
            scratch,
            custom: custom.map(Box::new),
            response,
            warnings: Vec::new(),
        }
    }

    /// What the policies say about a request, without counting or replying. `facts` must hold what
    /// [`Filter::demand`] names for [`Phase::Request`]. Conditions in CEL fail.
    pub fn decide(&mut self, facts: &Facts<'_>) -> Decisions<'_, '_> {
        let Self { compiled, scratch, .. } = self;
        Decisions::of(compiled, decide(compiled, facts, &|_| None, scratch))
    }

    /// How many rules apply to the workload, and how many of them every request is checked against because no
    /// positive pattern leads to them.
    pub fn rules(&self) -> (usize, usize) {
        (self.compiled.rules.len(), self.compiled.index.unposted())
    }

    /// What deciding needs, the memory of the last request, the providers that CUSTOM policies ask, and the mode, in which a filter is off
    /// that has nothing to decide.
    pub(crate) fn parts(&mut self) -> (&Compiled, &mut Scratch, Option<&Custom>, Mode) {
        (&self.compiled, &mut self.scratch, self.custom.as_deref(), self.mode)
    }

    /// What the decision on a request is for.
    fn decided(&mut self, now: Now) -> DecisionMode {
        if self.mode == Mode::Enforce && self.share.draw(now) { DecisionMode::Enforced } else { DecisionMode::Shadow }
    }

    /// Decides, and leaves counts and a text for the access log. Returns the decision if it refuses and is in force. `facts`
    /// are as for [`Policy::decide`].
    #[inline]
    pub(crate) fn refusal(
        &mut self,
        stream: &mut Stream,
        facts: &Facts<'_>,
        edits: &mut Edits,
        io: &mut Io<'_>,
    ) -> Option<Decision<'_>> {
        if self.mode == Mode::Off || self.is_inert(facts, io) {
            return None;
        }
        let decided = self.decided(io.now);
        let Self { compiled, scratch, metrics, beside, audit, access_log_state, conditions, .. } = self;
        let found = decide(compiled, facts, &|number| evaluate(conditions.as_deref(), io, number), scratch);
        if let Some(conditions) = conditions {
            conditions.count(compiled, found.failed, io.effects);
        }
        let enforced = Decision::of(compiled, found.found, Enforcement::Enforced);
        let mut leaving = Leaving { compiled, metrics, beside, audit, access_log_state: *access_log_state };
        let concluded = Concluded { decision: &enforced, mode: decided, found, status: FORBIDDEN, failure: None };
        leaving.conclude(&concluded, facts, stream, edits, io).then_some(enforced)
    }

    /// The filter with warnings of its document.
    pub(crate) fn with_warnings(self, warnings: Vec<Warning>) -> Self {
        Self { warnings, ..self }
    }

    /// Counts what was held back.
    fn flush(&mut self, effects: &mut Effects) {
        let Self { compiled, beside, .. } = self;
        if let Some(beside) = beside {
            beside.flush(compiled, effects);
        }
    }

    fn is_inert(&mut self, facts: &Facts<'_>, io: &mut Io<'_>) -> bool {
        if !self.inbound_only
            || Direction::of(facts.attributes.int(&Attribute::ListenerDirection)) != Direction::Outbound
        {
            return false;
        }
        if !self.said_inert {
            self.said_inert = true;
            io.effects.log(Level::Warn, INERT);
        }
        true
    }
}

/// The answer of Envoy's RBAC filter.
fn forbidden(refused: &Decision<'_>) -> Verdict {
    Verdict::Reply(Box::new(Reply {
        status: FORBIDDEN,
        details: refused.details(),
        body: REFUSED.to_vec(),
        headers: Vec::new(),
        grpc_status: None,
    }))
}

/// Reads a document of which the common fields are read; `None` if it has a problem.
#[inline(never)]
pub(crate) fn read(fields: Fields<'_>, common: Common, node: &Node, reading: Reading) -> Option<Document> {
    let at = *fields.cursor();
    let before = at.refusals();
    let document = config::document(fields, common, node, reading)?;
    let Document { common, workload, objects, .. } = &document;
    if workload.proxy == Some(ProxyKind::Sidecar) && common.listener == Some(Direction::Outbound) && !objects.is_empty()
    {
        at.warning("outbound-policy", INERT);
    }
    (at.refusals() == before).then_some(document)
}

impl Filter for Policy {
    const CALLBACKS: Callbacks =
        Callbacks { response: Need::Some, end: Need::Some, calls: Need::Some, ..Callbacks::NONE };

    type Stream = Stream;

    fn compile(document: &[u8], node: &Node) -> Result<Self, Problems> {
        // The document as a tree is many times its text; it is gone before the rules are compiled.
        let (document, warnings) = read_document(document, |at| {
            let mut fields = at.object()?;
            let common = Common::read(&mut fields);
            let document = read(fields, common, node, Reading::Workload)?;
            Some((document, at.take_warnings()))
        })?;
        Ok(Self { warnings, ..Self::new(document, Protocol::Http) })
    }

    fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    fn demand(&self, phase: Phase) -> &Demand {
        match phase {
            Phase::Request => &self.request,
            Phase::Response => &self.response,
            Phase::End | Phase::EndUnseen => &self.end,
        }
    }

    fn expressions(&self) -> Vec<Expression> {
        let mut expressions = self.custom.as_ref().map(|custom| custom.expressions()).unwrap_or_default();
        if let Some(conditions) = &self.conditions {
            conditions.push_expressions(&self.compiled, &mut expressions);
        }
        expressions
    }

    fn tick_period(&self) -> Option<Duration> {
        let beside = self.beside.as_ref().and_then(|beside| beside.period());
        let audit = self.audit.as_ref().and_then(|audit| audit.period());
        [beside, audit].into_iter().flatten().min()
    }

    #[inline(never)]
    fn request(&mut self, stream: &mut Stream, facts: &Facts<'_>, edits: &mut Edits, io: &mut Io<'_>) -> Verdict {
        // In mode `observe` Envoy's own filter asks.
        if self.custom.is_some() && self.mode != Mode::Observe {
            return self.consult(stream, facts, edits, io);
        }
        match self.refusal(stream, facts, edits, io) {
            Some(refused) => forbidden(&refused),
            None => Verdict::Continue,
        }
    }

    fn called(&mut self, id: CallId, answer: Answer<'_>, io: &mut Io<'_>) {
        if let Some(audit) = &mut self.audit {
            audit.called(id, answer, io.now, io.effects);
        }
        let Some(custom) = &mut self.custom else { return };
        if let Some(pending) = custom.answered(id, answer, io.now.mono_nanos, io.effects) {
            self.resettle(&mut Stream::default(), pending, &mut Edits::default(), io);
        }
    }

    fn resume(&mut self, stream: &mut Stream, why: Resumption, edits: &mut Edits, io: &mut Io<'_>) -> Verdict {
        let pending = stream.take_check().zip(self.custom.as_mut()).and_then(|(check, custom)| {
            let mut pending = custom.take(check)?;
            if let Resumption::TooManyWaiting(_) = why {
                pending.consulted = Some(custom.overloaded(io.effects));
            }
            Some(pending)
        });
        match pending {
            Some(pending) => self.resettle(stream, pending, edits, io),
            // No request waits without a check.
            None => Verdict::Reply(Box::new(Reply {
                status: 500,
                details: "weir_check_lost".to_owned(),
                ..Reply::default()
            })),
        }
    }

    fn gone(&mut self, stream: &mut Stream, io: &mut Io<'_>) {
        if let Some((check, custom)) = stream.take_check().zip(self.custom.as_mut()) {
            custom.take(check);
            io.effects.cancel(check);
        }
    }

    fn response(&mut self, stream: &mut Stream, facts: &Facts<'_>, edits: &mut Edits, _io: &mut Io<'_>) {
        let Some(asked) = &mut stream.asked else { return };
        let changes = std::mem::take(&mut asked.response);
        edits.response_headers.extend(custom::edits(changes, facts.response_headers));
    }

    fn end(&mut self, stream: &mut Stream, phase: Phase, facts: &Facts<'_>, io: &mut Io<'_>) {
        if let Some(beside) = &mut self.beside {
            beside.end(stream, phase, facts, io.effects);
        }
    }

    fn tick(&mut self, io: &mut Io<'_>) {
        self.flush(io.effects);
        if let Some(audit) = &mut self.audit {
            audit.tick(io.now, io.effects);
        }
    }

    fn finish(&mut self, io: &mut Io<'_>) {
        self.flush(io.effects);
        if let Some(audit) = &mut self.audit {
            audit.finish(io.effects);
        }
    }
}

#[cfg(test)]
mod tests;
