//! The filter of connections that are not HTTP: the same document, decided at the first data from the client.
//!
//! Envoy's RBAC network filter decides then too. Before, the TLS handshake may not be over, and what rules ask of the peer
//! is not known.

use crate::config::object::Action;
use crate::config::{Document, Reading, http_only};
use crate::stream::Stream;
use crate::{Decisions, Policy, filter};
use std::time::Duration;
use weir_config::{Common, Cursor, Fields, Mode, read_document};
use weir_model::{
    Answer, CallId, ClosedBy, Data, Demand, Edits, Expression, Facts, Filter, Io, Need, Node, Phase, Problems,
    Resumption, Side, TcpCallbacks, TcpFilter, TcpPhase, TcpVerdict, Warning,
};

/// What is decided about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Requests.
    #[default]
    Http,
    /// Connections that are not HTTP.
    Tcp,
}

/// The authorization filter of connections. It decides each once, holds nothing back and waits for nothing.
#[derive(Debug)]
pub struct TcpPolicy {
    policy: Policy,
    idle: Demand,
}

/// What is remembered about a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connection {
    /// No data has come from its client.
    #[default]
    Undecided,
    /// It may go on.
    Passed,
    /// It is being closed: what its client has sent besides does not pass.
    Refused,
}

impl TcpPolicy {
    /// Reads the policy document as a section of a larger one, as [`Policy::read`] does.
    #[inline(never)]
    pub fn read(at: Cursor<'_>, whole: &Common, node: &Node) -> Option<Self> {
        let mut fields = at.object()?;
        let common = whole.of_section(&mut fields);
        Some(Self::new(read(fields, common, node, Reading::Workload)?))
    }

    fn new(document: Document) -> Self {
        Self { policy: Policy::new(document, Protocol::Tcp), idle: Demand::idle() }
    }

    /// The filter with warnings of its document.
    #[must_use]
    pub fn with_warnings(self, warnings: Vec<Warning>) -> Self {
        Self { policy: self.policy.with_warnings(warnings), ..self }
    }

    /// What the policies say about a connection, without counting or closing. `facts` must hold what [`TcpFilter::demand`]
    /// names for [`TcpPhase::Data`].
    pub fn decide(&mut self, facts: &Facts<'_>) -> Decisions<'_, '_> {
        self.policy.decide(facts)
    }
}

/// Reads a document as [`filter::read`] does, and leaves out what only a request has.
#[inline(never)]
pub(crate) fn read(fields: Fields<'_>, common: Common, node: &Node, reading: Reading) -> Option<Document> {
    let at = *fields.cursor();
    let mut document = filter::read(fields, common, node, reading)?;
    serves(&document, &at)?;
    http_only::leave_out(&mut document.objects, &at);
    Some(document)
}

/// Whether connections can be decided as the document says; a problem if not.
pub(crate) fn serves(document: &Document, at: &Cursor<'_>) -> Option<()> {
    if document.common.mode == Mode::Observe {
        return at.problem(
            "mode `observe` compares by response code details, which a connection does not have; use `shadow`",
        );
    }
    if let Some(object) = document.objects.iter().find(|object| object.action == Action::Custom) {
        return at.problem(format!(
            "policy `{}/{}` asks a provider, and this filter asks none about connections; use Envoy's network filter \
             `envoy.filters.network.ext_authz`",
            object.namespace, object.name
        ));
    }
    Some(())
}

impl TcpFilter for TcpPolicy {
    const CALLBACKS: TcpCallbacks =
        TcpCallbacks { downstream_data: Need::Always, calls: Need::Some, ..TcpCallbacks::NONE };

    type Connection = Connection;

    fn compile(document: &[u8], node: &Node) -> Result<Self, Problems> {
        // The document as a tree is many times its text; it is gone before the rules are compiled.
        let (document, warnings) = read_document(document, |at| {
            let mut fields = at.object()?;
            let common = Common::read(&mut fields);
            let document = read(fields, common, node, Reading::Workload)?;
            Some((document, at.take_warnings()))
        })?;
        Ok(Self::new(document).with_warnings(warnings))
    }

    fn warnings(&self) -> &[Warning] {
        self.policy.warnings()
    }

    fn demand(&self, phase: TcpPhase) -> &Demand {
        match phase {
            TcpPhase::Data => self.policy.demand(Phase::Request),
            TcpPhase::Opened | TcpPhase::End => &self.idle,
        }
    }

    fn shown(&self, connection: &Connection, side: Side) -> Option<usize> {
        // None of the bytes matters.
        (side == Side::Downstream && *connection != Connection::Passed).then_some(0)
    }

    fn expressions(&self) -> Vec<Expression> {
        self.policy.expressions()
    }

    fn tick_period(&self) -> Option<Duration> {
        self.policy.tick_period()
    }

    fn opened(&mut self, _: &mut Connection, _: &Facts<'_>, _: &mut Edits, _: &mut Io<'_>) -> TcpVerdict {
        TcpVerdict::Continue
    }

    fn data(
        &mut self,
        connection: &mut Connection,
        _data: Data<'_>,
        facts: &Facts<'_>,
        edits: &mut Edits,
        io: &mut Io<'_>,
    ) -> TcpVerdict {
        if *connection == Connection::Undecided {
            let refused = self.policy.refusal(&mut Stream::default(), facts, edits, io).is_some();
            *connection = if refused { Connection::Refused } else { Connection::Passed };
        }
        match connection {
            Connection::Refused => TcpVerdict::Close,
            Connection::Undecided | Connection::Passed => TcpVerdict::Continue,
        }
    }

    fn called(&mut self, id: CallId, answer: Answer<'_>, io: &mut Io<'_>) {
        self.policy.called(id, answer, io);
    }

    fn resume(&mut self, _: &mut Connection, _: Resumption, _: &mut Edits, _: &mut Io<'_>) -> TcpVerdict {
        TcpVerdict::Continue
    }

    fn gone(&mut self, _: &mut Connection, _: &mut Io<'_>) {}

    fn closed(&mut self, _: &mut Connection, _: Side, _: ClosedBy, _: &mut Io<'_>) {}

    fn end(&mut self, _: &mut Connection, _: &Facts<'_>, _: &mut Io<'_>) {}

    fn tick(&mut self, io: &mut Io<'_>) {
        self.policy.tick(io);
    }

    fn finish(&mut self, io: &mut Io<'_>) {
        self.policy.finish(io);
    }
}

#[cfg(test)]
mod tests;
