//! The filter: what the shell calls.

use crate::Decisions;
use crate::compiled::{Compiled, compile};
use crate::config::workload::Proxy;
use crate::config::{self, Document};
use crate::decide::{Scratch, decide};
use crate::demand::demand;
use crate::metrics::{DecisionMetrics, DecisionMode, access_log_text};
use std::time::Duration;
use weir_config::{Cursor, Fields, Mode, document_header, name_and_mode, read_document, section_mode};
use weir_model::{
    Answer, Attribute, CallId, Callbacks, Demand, Edits, Facts, Filter, Io, Level, Node, Phase, Problems, Reply,
    Resumption, Verdict, Warning,
};

/// The authorization filter: a compiled configuration and what one VM remembers.
///
/// Decides while request headers are there and has nothing to do in any other phase. It never awaits anything.
#[derive(Debug)]
pub struct Policy {
    compiled: Compiled,
    mode: Mode,
    request: Demand,
    idle: Demand,
    /// Policies are for what comes in: on an outbound listener of a sidecar they are inert.
    inbound_only: bool,
    said_inert: bool,
    metrics: DecisionMetrics,
    scratch: Scratch,
    warnings: Vec<Warning>,
}

/// `xds.listener_direction` of an outbound listener.
const OUTBOUND: i64 = 2;

impl Policy {
    /// Reads the policy document without `schema` and `name`, as a section of a larger one. An absent `mode` means
    /// `default_mode`, the mode of the whole. `name` labels the metrics. `None` if there was a problem; all problems go
    /// where `at` points.
    pub fn read(at: Cursor<'_>, name: &str, default_mode: Mode, node: &Node) -> Option<Self> {
        let mut fields = at.object()?;
        let mode = section_mode(&mut fields, default_mode);
        Some(Self::new(read(fields, mode, node)?, name))
    }

    /// Compiles a document.
    fn new(document: Document, name: &str) -> Self {
        let Document { mode, workload, objects } = document;
        let compiled = compile(objects, &workload);
        let inbound_only = workload.proxy == Some(Proxy::Sidecar) && !compiled.sections.is_empty();
        let mut request = Demand::idle().union(&demand(&compiled));
        if inbound_only {
            request.attributes.insert(Attribute::ListenerDirection);
        }
        if mode == Mode::Off {
            request = Demand::idle();
        }
        let scratch = Scratch::new(&compiled);
        Self {
            compiled,
            mode,
            request,
            idle: Demand::idle(),
            inbound_only,
            said_inert: false,
            metrics: DecisionMetrics::new(name),
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

    fn is_inert(&mut self, facts: &Facts<'_>, io: &mut Io<'_>) -> bool {
        if !self.inbound_only || facts.attributes.int(&Attribute::ListenerDirection) != Some(OUTBOUND) {
            return false;
        }
        if !self.said_inert {
            self.said_inert = true;
            io.effects.log(Level::Warn, "policies are for inbound requests and do nothing on this outbound listener");
        }
        true
    }
}

/// Reads a document of which `schema`, `name` and `mode` are read; `None` if it has a problem.
fn read(fields: Fields<'_>, mode: Option<Mode>, node: &Node) -> Option<Document> {
    let at = fields.at().clone();
    let before = at.problems();
    let document = config::document(fields, mode, node)?;
    (at.problems() == before).then_some(document)
}

impl Filter for Policy {
    const CALLBACKS: Callbacks = Callbacks::NONE;

    type Stream = ();

    fn compile(document: &[u8], node: &Node) -> Result<Self, Problems> {
        // The document as a tree is many times its text; it is gone before the rules are compiled.
        let (document, name, warnings) = read_document(document, |at| {
            let mut fields = at.object()?;
            document_header(&mut fields);
            let (name, mode) = name_and_mode(&mut fields);
            let document = read(fields, mode, node)?;
            Some((document, name.unwrap_or_default(), at.take_warnings()))
        })?;
        Ok(Self { warnings, ..Self::new(document, &name) })
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

    fn tick_period(&self) -> Option<Duration> {
        None
    }

    fn request(&mut self, _stream: &mut (), facts: &Facts<'_>, edits: &mut Edits, io: &mut Io<'_>) -> Verdict {
        if self.mode == Mode::Off || self.is_inert(facts, io) {
            return Verdict::Continue;
        }
        let decided = if self.mode == Mode::Enforce { DecisionMode::Enforced } else { DecisionMode::Shadow };
        let Self { compiled, scratch, metrics, .. } = self;
        let Decisions { enforced, shadow } = Decisions::of(compiled, decide(compiled, facts, scratch));
        metrics.count(&enforced, decided, io.effects);
        if let Some(shadow) = shadow {
            metrics.count(&shadow, DecisionMode::DryRun, io.effects);
        }
        if let Some(text) = access_log_text(&enforced, decided) {
            edits.filter_state.push(("weir.policy", text));
        }
        if enforced.allow || decided != DecisionMode::Enforced {
            return Verdict::Continue;
        }
        Verdict::Reply(Box::new(Reply {
            status: 403,
            details: enforced.details(),
            body: b"RBAC: access denied".to_vec(),
            headers: Vec::new(),
            grpc_status: None,
        }))
    }

    fn called(&mut self, _id: CallId, _answer: Answer<'_>, _io: &mut Io<'_>) {}

    fn resume(&mut self, _stream: &mut (), _why: Resumption, _edits: &mut Edits, _io: &mut Io<'_>) -> Verdict {
        Verdict::Continue
    }

    fn gone(&mut self, _stream: &mut (), _io: &mut Io<'_>) {}

    fn response(&mut self, _stream: &mut (), _facts: &Facts<'_>, _edits: &mut Edits, _io: &mut Io<'_>) {}

    fn end(&mut self, _stream: &mut (), _phase: Phase, _facts: &Facts<'_>, _io: &mut Io<'_>) {}

    fn tick(&mut self, _io: &mut Io<'_>) {}

    fn finish(&mut self, _io: &mut Io<'_>) {}
}

#[cfg(test)]
mod tests;
