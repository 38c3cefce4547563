//! The filter: what the shell calls.

use crate::audit::Audit;
use crate::compiled::{Compiled, compile};
use crate::config::{self, Document, Reading};
use crate::decide::{Scratch, decide};
use crate::demand::demand;
use crate::metrics::{DecisionMetrics, DecisionMode, access_log_text};
use crate::{Decision, Decisions};
use std::time::Duration;
use weir_config::{AccessLogState, Common, Cursor, Fields, Mode, read_document};
use weir_metrics::SeriesIds;
use weir_model::{
    Answer, Attribute, CallId, Callbacks, Demand, Direction, Edits, Expression, Facts, Filter, Io, Level, Need, Node,
    Phase, Problems, ProxyKind, Reply, Resumption, Verdict, Warning,
};

/// The authorization filter: a compiled configuration and what one VM remembers.
///
/// Decides while request headers are there and has nothing to do in any other phase. It never awaits anything.
#[derive(Debug)]
pub struct Policy {
    compiled: Compiled,
    mode: Mode,
    access_log_state: AccessLogState,
    request: Demand,
    idle: Demand,
    /// Policies are for what comes in: on an outbound listener of a sidecar they are inert. `true` if a stream's listener
    /// must be asked for its direction.
    inbound_only: bool,
    said_inert: bool,
    metrics: DecisionMetrics,
    audit: Option<Box<Audit>>,
    scratch: Scratch,
    warnings: Vec<Warning>,
}

/// The status of a refusal.
const REFUSED: u16 = 403;

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
        let Document { common, workload, objects, audit } = document;
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
        let ids = SeriesIds::default();
        let direct_address = workload.direct_address.clone().map(Attribute::FilterState);
        let audit = audit.filter(|_| mode != Mode::Off);
        let audit = audit.map(|settings| Box::new(Audit::new(settings, &ids, &name, direct_address)));
        if let Some(audit) = &audit {
            let read = |attribute: &Attribute| request.attributes.contains(attribute);
            request.late = audit.demand().iter().filter(|attribute| !read(attribute)).cloned().collect();
        }
        if mode == Mode::Off {
            request = Demand::idle();
        }
        let scratch = Scratch::new(&compiled);
        Self {
            compiled,
            mode,
            access_log_state,
            request,
            idle: Demand::idle(),
            inbound_only,
            said_inert: false,
            metrics: DecisionMetrics::new(&ids, &name),
            audit,
            scratch,
            warnings: Vec::new(),
        }
    }

    /// What the policies say about a request, without counting or replying. `facts` must hold what
    /// [`Filter::demand`] names for [`Phase::Request`].
    pub fn decide(&mut self, facts: &Facts<'_>) -> Decisions<'_> {
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
    let before = at.problems();
    let document = config::document(fields, common, node, reading)?;
    let Document { common, workload, objects, audit: _ } = &document;
    if workload.proxy == Some(ProxyKind::Sidecar) && common.listener == Some(Direction::Outbound) && !objects.is_empty()
    {
        at.warning("outbound-policy", INERT);
    }
    (at.problems() == before).then_some(document)
}

/// What is wrong with a policy document, or doubtful. Of policies for another workload [`Filter::compile`] reads no more than
/// their scope; with [`Reading::All`] each is read in full, and what only a workload can tell, such as whether a policy
/// applies to it, is left out.
///
/// # Errors
/// All problems of the document.
pub fn review(document: &[u8], node: &Node, reading: Reading) -> Result<Vec<Warning>, Problems> {
    read_document(document, |at| {
        let mut fields = at.object()?;
        let common = Common::read(&mut fields);
        read(fields, common, node, reading)?;
        Some(at.take_warnings())
    })
}

/// The answer to a request that is refused.
#[inline(never)]
fn refusal(decision: &Decision<'_>) -> Verdict {
    Verdict::Reply(Box::new(Reply {
        status: REFUSED,
        details: decision.details(),
        body: b"RBAC: access denied".to_vec(),
        headers: Vec::new(),
        grpc_status: None,
    }))
}

impl Filter for Policy {
    const CALLBACKS: Callbacks = Callbacks { calls: Need::Some, finish: Need::Some, ..Callbacks::NONE };

    type Stream = ();

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
            Phase::Response | Phase::End | Phase::EndUnseen => &self.idle,
        }
    }

    fn expressions(&self) -> Vec<Expression> {
        Vec::new()
    }

    fn holds_back(&self) -> bool {
        self.audit.as_ref().is_some_and(|audit| audit.holds_back())
    }

    fn tick_period(&self) -> Option<Duration> {
        self.audit.as_ref()?.period()
    }

    #[inline(never)]
    fn request(&mut self, _stream: &mut (), facts: &Facts<'_>, edits: &mut Edits, io: &mut Io<'_>) -> Verdict {
        if self.mode == Mode::Off || self.is_inert(facts, io) {
            return Verdict::Continue;
        }
        let decided = if self.mode == Mode::Enforce { DecisionMode::Enforced } else { DecisionMode::Shadow };
        let Self { compiled, scratch, metrics, audit, .. } = self;
        let Decisions { enforced, shadow } = Decisions::of(compiled, decide(compiled, facts, scratch));
        metrics.count(&enforced, decided, io.effects);
        if let Some(shadow) = shadow {
            metrics.count(&shadow, DecisionMode::DryRun, io.effects);
        }
        if self.access_log_state.keeps(!enforced.allow)
            && let Some(text) = access_log_text(&enforced, decided)
        {
            edits.filter_state.push(("weir.policy", text));
        }
        let refuses = !enforced.allow && decided == DecisionMode::Enforced;
        if let Some(audit) = audit {
            let response_code = refuses.then_some(REFUSED);
            audit.decided((&enforced, decided, response_code), shadow.as_ref(), facts, io);
        }
        if refuses { refusal(&enforced) } else { Verdict::Continue }
    }

    fn called(&mut self, id: CallId, answer: Answer<'_>, io: &mut Io<'_>) {
        if let Some(audit) = &mut self.audit {
            audit.called(id, answer, io.now, io.effects);
        }
    }

    fn resume(&mut self, _stream: &mut (), _why: Resumption, _edits: &mut Edits, _io: &mut Io<'_>) -> Verdict {
        Verdict::Continue
    }

    fn gone(&mut self, _stream: &mut (), _io: &mut Io<'_>) {}

    fn response(&mut self, _stream: &mut (), _facts: &Facts<'_>, _edits: &mut Edits, _io: &mut Io<'_>) {}

    fn end(&mut self, _stream: &mut (), _phase: Phase, _facts: &Facts<'_>, _io: &mut Io<'_>) {}

    fn tick(&mut self, io: &mut Io<'_>) {
        if let Some(audit) = &mut self.audit {
            audit.tick(io.now, io.effects);
        }
    }

    fn finish(&mut self, io: &mut Io<'_>) {
        if let Some(audit) = &mut self.audit {
            audit.finish(io.effects);
        }
    }
}

#[cfg(test)]
mod tests;
