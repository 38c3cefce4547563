//! The suite for connections that are not HTTP: its policy section, decided as [`TcpPolicy`] does.
//!
//! The other sections are about requests. A document that has one is refused: what is not limited or counted must not look
//! as if it were.

use std::time::Duration;
use weir_config::{Common, read_document};
use weir_model::{
    Answer, CallId, ClosedBy, Data, Demand, Edits, Expression, Facts, Io, Node, Problems, Resumption, Side,
    TcpCallbacks, TcpFilter, TcpPhase, TcpVerdict, Warning,
};
use weir_policy::TcpPolicy;

/// The policy of a suite's document, for connections.
#[derive(Debug)]
pub struct TcpSuite {
    policy: TcpPolicy,
}

impl TcpFilter for TcpSuite {
    const CALLBACKS: TcpCallbacks = TcpPolicy::CALLBACKS;

    type Connection = <TcpPolicy as TcpFilter>::Connection;

    #[inline(never)]
    fn compile(document: &[u8], node: &Node) -> Result<Self, Problems> {
        let (policy, warnings) = read_document(document, |at| {
            let mut fields = at.object()?;
            let common = Common::read(&mut fields);
            let policy = fields.require("policy").and_then(|at| TcpPolicy::read(at, &common, node));
            for section in ["rateLimit", "telemetry"] {
                if let Some(at) = fields.take(section) {
                    at.problem::<()>("it is about requests, and root id `weir.tcp` is for connections: leave it out");
                }
            }
            fields.finish();
            Some((policy?, at.take_warnings()))
        })?;
        Ok(Self { policy: policy.with_warnings(warnings) })
    }

    fn warnings(&self) -> &[Warning] {
        self.policy.warnings()
    }

    fn demand(&self, phase: TcpPhase) -> &Demand {
        self.policy.demand(phase)
    }

    fn shown(&self, connection: &Self::Connection, side: Side) -> Option<usize> {
        self.policy.shown(connection, side)
    }

    fn expressions(&self) -> Vec<Expression> {
        self.policy.expressions()
    }

    fn tick_period(&self) -> Option<Duration> {
        self.policy.tick_period()
    }

    fn opened(
        &mut self,
        connection: &mut Self::Connection,
        facts: &Facts<'_>,
        edits: &mut Edits,
        io: &mut Io<'_>,
    ) -> TcpVerdict {
        self.policy.opened(connection, facts, edits, io)
    }

    fn data(
        &mut self,
        connection: &mut Self::Connection,
        data: Data<'_>,
        facts: &Facts<'_>,
        edits: &mut Edits,
        io: &mut Io<'_>,
    ) -> TcpVerdict {
        self.policy.data(connection, data, facts, edits, io)
    }

    fn called(&mut self, id: CallId, answer: Answer<'_>, io: &mut Io<'_>) {
        self.policy.called(id, answer, io);
    }

    fn resume(
        &mut self,
        connection: &mut Self::Connection,
        why: Resumption,
        edits: &mut Edits,
        io: &mut Io<'_>,
    ) -> TcpVerdict {
        self.policy.resume(connection, why, edits, io)
    }

    fn gone(&mut self, connection: &mut Self::Connection, io: &mut Io<'_>) {
        self.policy.gone(connection, io);
    }

    fn closed(&mut self, connection: &mut Self::Connection, side: Side, by: ClosedBy, io: &mut Io<'_>) {
        self.policy.closed(connection, side, by, io);
    }

    fn end(&mut self, connection: &mut Self::Connection, facts: &Facts<'_>, io: &mut Io<'_>) {
        self.policy.end(connection, facts, io);
    }

    fn tick(&mut self, io: &mut Io<'_>) {
        self.policy.tick(io);
    }

    fn finish(&mut self, io: &mut Io<'_>) {
        self.policy.finish(io);
    }
}

#[cfg(test)]
mod tests;
