//! The filter: what the shell calls.

use crate::Decisions;
use crate::compile::{Compiled, compile};
use crate::evaluate::evaluate;
use crate::read;
use crate::report::{Capacity, Report, text};
use crate::request::Scratch;
use crate::workload::Proxy;
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
    report: Report,
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
        Self::of(fields, name, mode, node)
    }

    fn of(fields: Fields<'_>, name: &str, mode: Option<Mode>, node: &Node) -> Option<Self> {
        let at = fields.at().clone();
        let before = at.problems();
        let read::Document { mode, workload, objects } = read::document(fields, mode, node)?;
        if at.problems() != before {
            return None;
        }
        let compiled = compile(&objects, &workload, &at)?;
        let inbound_only = workload.proxy == Some(Proxy::Sidecar) && compiled.applies != [false; 4];
        let mut request = Demand::idle().union(&compiled.demand);
        if inbound_only {
            request.attributes.insert(Attribute::ListenerDirection);
        }
        if mode == Mode::Off {
            request = Demand::idle();
        }
        let (report, scratch) = (Report::new(name), Scratch::default());
        Some(Self {
            compiled,
            mode,
            request,
            idle: Demand::idle(),
            inbound_only,
            said_inert: false,
            report,
            scratch,
            warnings: Vec::new(),
        })
    }

    /// What the policies say about a request, without counting or replying. `facts` must hold what
    /// [`Filter::demand`] names for [`Phase::Request`].
    pub fn decide(&mut self, facts: &Facts<'_>) -> Decisions<'_> {
        let Self { compiled, scratch, .. } = self;
        let found = scratch.with(compiled, facts, |request, scratch| evaluate(compiled, request, scratch));
        Decisions::of(compiled, &found)
    }

    /// How many rules apply to the workload, and how many of them every request is checked against because no
    /// positive pattern leads to them.
    pub fn rules(&self) -> (usize, usize) {
        (self.compiled.rules.len(), self.compiled.index.unanchored())
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

impl Filter for Policy {
    const CALLBACKS: Callbacks = Callbacks::NONE;

    type Stream = ();

    fn compile(document: &[u8], node: &Node) -> Result<Self, Problems> {
        read_document(document, |at| {
            let mut fields = at.object()?;
            document_header(&mut fields);
            let (name, mode) = name_and_mode(&mut fields);
            let policy = Self::of(fields, name.as_deref().unwrap_or_default(), mode, node)?;
            Some(Self { warnings: at.take_warnings(), ..policy })
        })
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
        let capacity = if self.mode == Mode::Enforce { Capacity::Enforced } else { Capacity::Shadow };
        let Self { compiled, scratch, report, .. } = self;
        let found = scratch.with(compiled, facts, |request, scratch| evaluate(compiled, request, scratch));
        let Decisions { enforced, shadow } = Decisions::of(compiled, &found);
        report.count(&enforced, capacity, io.effects);
        if let Some(shadow) = shadow {
            report.count(&shadow, Capacity::DryRun, io.effects);
        }
        if let Some(text) = text(&enforced, capacity) {
            edits.filter_state.push(("weir.policy", text));
        }
        if enforced.allow || capacity != Capacity::Enforced {
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
