//! The filter: what the shell calls.

mod beside;

use crate::compiled::{Compiled, Enforcement, compile};
use crate::config::{self, Document, Reading};
use crate::decide::{Scratch, decide};
use crate::demand::demand;
use crate::fraction::Fraction;
use crate::metrics::{DecisionMetrics, DecisionMode, access_log_text};
use crate::stream::Stream;
use crate::{Decision, Decisions, Protocol, observe, tcp};
use beside::Beside;
use std::time::Duration;
use weir_config::{AccessLogState, Common, Cursor, Fields, Mode, read_document};
use weir_metrics::SeriesIds;
use weir_model::{
    Answer, Attribute, CallId, Callbacks, Demand, Direction, Edits, Effects, Expression, Facts, Filter, Io, Level,
    Need, Node, Phase, Problems, ProxyKind, Reply, Resumption, Verdict, Warning,
};

/// The authorization filter: a compiled configuration and what one VM remembers.
///
/// Decides while request headers are there. In mode `observe` it compares that with what Envoy's own RBAC did when the stream
/// ends. It has nothing to do in any other phase, and never awaits anything.
#[derive(Debug)]
pub struct Policy {
    compiled: Compiled,
    mode: Mode,
    /// The requests whose refusals are enforced in mode `enforce`.
    share: Fraction,
    access_log_state: AccessLogState,
    request: Demand,
    end: Demand,
    idle: Demand,
    /// Policies are for what comes in: on an outbound listener of a sidecar they are inert. `true` if a stream's listener
    /// must be asked for its direction.
    inbound_only: bool,
    said_inert: bool,
    metrics: DecisionMetrics,
    beside: Option<Box<Beside>>,
    scratch: Scratch,
    warnings: Vec<Warning>,
}

/// Why policies do nothing on an outbound listener.
const INERT: &str = "policies are for inbound requests and do nothing on this outbound listener";

impl Policy {
    /// Reads the policy document as a section of a larger one, `whole`. `None` if there was a problem; all problems go
    /// where `at` points.
    #[inline(never)]
    pub fn read(at: Cursor<'_>, whole: &Common, node: &Node) -> Option<Self> {
        let mut fields = at.object()?;
        let common = whole.of_section(&mut fields);
        Some(Self::new(read(fields, common, node, Reading::Workload)?))
    }

    /// Compiles a document.
    #[inline(never)]
    pub(crate) fn new(document: Document) -> Self {
        let Document { common, share, workload, objects, quarantined } = document;
        let Common { name, mode, access_log_state, listener } = common;
        let compiled = compile(objects, &workload);
        let of_sidecar = workload.proxy == Some(ProxyKind::Sidecar) && !compiled.sections.is_empty();
        let inbound_only = of_sidecar && listener.is_none();
        let mut request = Demand::idle().union(&demand(&compiled));
        if inbound_only {
            request.attributes.insert(Attribute::ListenerDirection);
        }
        let is_inert = of_sidecar && listener == Some(Direction::Outbound);
        let mode = if is_inert { Mode::Off } else { mode };
        // A draw is by the time.
        request.monotonic_clock |= mode == Mode::Enforce && share.is_partial();
        if mode == Mode::Off {
            request = Demand::idle();
        }
        let scratch = Scratch::new(&compiled);
        let ids = SeriesIds::default();
        Self {
            beside: Beside::new(&name, &ids, &compiled, mode, quarantined),
            metrics: DecisionMetrics::new(&name, &ids),
            compiled,
            mode,
            share,
            access_log_state,
            request,
            end: if mode == Mode::Observe { observe::demand() } else { Demand::idle() },
            idle: Demand::idle(),
            inbound_only,
            said_inert: false,
            scratch,
            warnings: Vec::new(),
        }
    }

    /// What the policies say about a request, without counting or replying. `facts` must hold what
    /// [`Filter::demand`] names for [`Phase::Request`].
    pub fn decide(&mut self, facts: &Facts<'_>) -> Decisions<'_, '_> {
        let Self { compiled, scratch, .. } = self;
        Decisions::of(compiled, decide(compiled, facts, scratch))
    }

    /// How many rules apply to the workload, and how many of them every request is checked against because no
    /// positive pattern leads to them.
    pub fn rules(&self) -> (usize, usize) {
        (self.compiled.rules.len(), self.compiled.index.unposted())
    }

    /// What deciding needs, the memory of the last request, and the mode, in which a filter is off that has nothing to decide.
    pub(crate) fn parts(&mut self) -> (&Compiled, &mut Scratch, Mode) {
        (&self.compiled, &mut self.scratch, self.mode)
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
        let is_enforced = self.mode == Mode::Enforce && self.share.draw(io.now);
        let decided = if is_enforced { DecisionMode::Enforced } else { DecisionMode::Shadow };
        let Self { compiled, scratch, metrics, beside, .. } = self;
        let found = decide(compiled, facts, scratch);
        let enforced = Decision::of(compiled, found.found, Enforcement::Enforced);
        metrics.count(&enforced, decided, io.effects);
        let audited = beside.as_mut().and_then(|beside| beside.request(compiled, found, metrics, stream, io.effects));
        if self.access_log_state.keeps(!enforced.allow || audited.is_some())
            && let Some(text) = access_log_text(&enforced, decided, audited)
        {
            edits.filter_state.push(("weir.policy", text));
        }
        (!enforced.allow && decided == DecisionMode::Enforced).then_some(enforced)
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

/// Reads a document of which the common fields are read; `None` if it has a problem.
#[inline(never)]
pub(crate) fn read(fields: Fields<'_>, common: Common, node: &Node, reading: Reading) -> Option<Document> {
    let at = fields.cursor().clone();
    let before = at.refusals();
    let document = config::document(fields, common, node, reading)?;
    let Document { common, workload, objects, .. } = &document;
    if workload.proxy == Some(ProxyKind::Sidecar) && common.listener == Some(Direction::Outbound) && !objects.is_empty()
    {
        at.warning("outbound-policy", INERT);
    }
    (at.refusals() == before).then_some(document)
}

/// What is wrong with a policy document, or doubtful. Of policies for another workload [`Filter::compile`] reads no more than
/// their scope; with [`Reading::All`] each is read in full, and what only a workload can tell, such as whether a policy
/// applies to it, is left out.
///
/// # Errors
/// All problems of the document.
pub fn review(protocol: Protocol, document: &[u8], node: &Node, reading: Reading) -> Result<Vec<Warning>, Problems> {
    read_document(document, |at| {
        let mut fields = at.object()?;
        let common = Common::read(&mut fields);
        match protocol {
            Protocol::Http => read(fields, common, node, reading)?,
            Protocol::Tcp => tcp::read(fields, common, node, reading)?,
        };
        Some(at.take_warnings())
    })
}

impl Filter for Policy {
    const CALLBACKS: Callbacks = Callbacks { end: Need::Some, ..Callbacks::NONE };

    type Stream = Stream;

    fn compile(document: &[u8], node: &Node) -> Result<Self, Problems> {
        // The document as a tree is many times its text; it is gone before the rules are compiled.
        let (document, warnings) = read_document(document, |at| {
            let mut fields = at.object()?;
            let common = Common::read(&mut fields);
            let document = read(fields, common, node, Reading::Workload)?;
            Some((document, at.take_warnings()))
        })?;
        Ok(Self { warnings, ..Self::new(document) })
    }

    fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    fn demand(&self, phase: Phase) -> &Demand {
        match phase {
            Phase::Request => &self.request,
            Phase::Response => &self.idle,
            Phase::End | Phase::EndUnseen => &self.end,
        }
    }

    fn expressions(&self) -> Vec<Expression> {
        Vec::new()
    }

    fn tick_period(&self) -> Option<Duration> {
        self.beside.as_ref()?.period()
    }

    fn request(&mut self, stream: &mut Stream, facts: &Facts<'_>, edits: &mut Edits, io: &mut Io<'_>) -> Verdict {
        let Some(refused) = self.refusal(stream, facts, edits, io) else { return Verdict::Continue };
        Verdict::Reply(Box::new(Reply {
            status: 403,
            details: refused.details(),
            body: b"RBAC: access denied".to_vec(),
            headers: Vec::new(),
            grpc_status: None,
        }))
    }

    fn called(&mut self, _id: CallId, _answer: Answer<'_>, _io: &mut Io<'_>) {}

    fn resume(&mut self, _stream: &mut Stream, _why: Resumption, _edits: &mut Edits, _io: &mut Io<'_>) -> Verdict {
        Verdict::Continue
    }

    fn gone(&mut self, _stream: &mut Stream, _io: &mut Io<'_>) {}

    fn response(&mut self, _stream: &mut Stream, _facts: &Facts<'_>, _edits: &mut Edits, _io: &mut Io<'_>) {}

    fn end(&mut self, stream: &mut Stream, phase: Phase, facts: &Facts<'_>, io: &mut Io<'_>) {
        if let Some(beside) = &mut self.beside {
            beside.end(stream, phase, facts, io.effects);
        }
    }

    fn tick(&mut self, io: &mut Io<'_>) {
        self.flush(io.effects);
    }

    fn finish(&mut self, io: &mut Io<'_>) {
        self.flush(io.effects);
    }
}

#[cfg(test)]
mod tests;
