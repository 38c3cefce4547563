//! Filters of TCP connections: the sibling of [`crate::Filter`] for a module that is loaded as a network filter.

use crate::{
    Answer, CallId, Callbacks, Demand, Edits, Expression, Facts, Io, Need, Node, Problems, Resumption, Warning,
};
use std::time::Duration;

/// The root id of a plugin that is a TCP filter. A module's HTTP filter has `weir`, or none.
pub const TCP_ROOT_ID: &str = "weir.tcp";

/// A moment in a connection's life at which a core is asked something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpPhase {
    /// The connection has been accepted, and its TLS handshake may not be over: what only the handshake tells is absent
    /// until the first data.
    Opened,
    /// Data has come, from either side.
    Data,
    /// The connection has ended.
    End,
}

/// A side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client's.
    Downstream,
    /// The server's.
    Upstream,
}

/// Who closed one side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosedBy {
    /// The host does not say, which is always so on the upstream side.
    Unknown,
    /// This proxy.
    Proxy,
    /// The peer.
    Peer,
}

impl ClosedBy {
    /// Reads the close type of the ABI.
    pub fn from_abi(number: u32) -> Self {
        match number {
            1 => Self::Proxy,
            2 => Self::Peer,
            _ => Self::Unknown,
        }
    }
}

/// What a core decides about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpVerdict {
    /// It goes on, with the data that is there.
    Continue,
    /// What has come from the client waits until there is more of it; then all of it is shown. After the last data
    /// ([`Data::end`]) no more comes, so that waits until the connection closes. Nor does more come once the
    /// `per_connection_buffer_limit_bytes` of the listener are full, and then not even a close is seen: hold back less. In
    /// [`TcpPhase::Opened`] there is nothing to hold, and this is [`TcpVerdict::Continue`].
    Hold,
    /// Both sides are closed. What was written to them and is not sent yet still goes out.
    Close,
    /// The connection is held until this callout has ended; then [`TcpFilter::resume`] decides. Data that the client sends
    /// meanwhile waits; what comes from either side meanwhile is not shown to the core.
    Await(CallId),
}

/// Data of one side, as it passes.
#[derive(Clone, Copy, Debug)]
pub struct Data<'a> {
    /// Where it comes from.
    pub side: Side,
    /// How many bytes wait here: those that are held back and those that are new.
    pub length: usize,
    /// The first of them, at most as many as [`TcpFilter::shown`] asked for.
    pub first: &'a [u8],
    /// Nothing more comes from this side.
    pub end: bool,
}

/// The callbacks that a TCP filter needs besides the one for new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpCallbacks {
    /// Data from the client: [`TcpFilter::data`].
    pub downstream_data: Need,
    /// Data from the server: [`TcpFilter::data`].
    pub upstream_data: Need,
    /// A side is closed: [`TcpFilter::closed`].
    pub close: Need,
    /// The end of a connection: [`TcpFilter::end`].
    pub end: Need,
    /// Answers of callouts: [`TcpFilter::called`].
    pub calls: Need,
    /// The orderly end of a configuration: [`TcpFilter::finish`] with callouts.
    pub finish: Need,
}

impl TcpCallbacks {
    /// No TCP filter at all.
    pub const NONE: Self = Self {
        downstream_data: Need::Never,
        upstream_data: Need::Never,
        close: Need::Never,
        end: Need::Never,
        calls: Need::Never,
        finish: Need::Never,
    };

    /// The custom section of a module with a TCP filter that carries what HTTP filters do not have.
    pub const SECTION: &str = "weir.tcp";

    /// The content of [`TcpCallbacks::SECTION`]: the letters of [`Callbacks::encode`] for data of either side and for the
    /// close.
    pub const fn encode(self) -> [u8; 3] {
        let Self { downstream_data, upstream_data, close, end: _, calls: _, finish: _ } = self;
        [downstream_data.letter(), upstream_data.letter(), close.letter()]
    }

    /// Reads what [`TcpCallbacks::encode`] wrote; `None` for anything else. The other callbacks read as never needed.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let &[downstream_data, upstream_data, close] = bytes else { return None };
        Some(Self {
            downstream_data: Need::read(downstream_data)?,
            upstream_data: Need::read(upstream_data)?,
            close: Need::read(close)?,
            ..Self::NONE
        })
    }

    /// Those that HTTP filters have, too.
    pub const fn common(self) -> Callbacks {
        Callbacks { response: Need::Never, end: self.end, calls: self.calls, finish: self.finish }
    }
}

/// A TCP filter's core. What [`crate::Filter`] says of costs, panics and borrowed facts holds here too.
///
/// Order in a connection's life: `opened`, then `data` and one `resume` per [`TcpVerdict::Await`], `closed` for each side
/// that the host tells of, `end`. A connection that leaves while it waits has `gone` in place of its `resume`. While it waits
/// in `opened` the host reads nothing from it, so that a client which leaves then is noticed after the `resume` only.
pub trait TcpFilter: Sized + 'static {
    /// The callbacks that the filter needs. What is not among them never happens.
    const CALLBACKS: TcpCallbacks;

    /// What is remembered about one connection.
    type Connection: Default;

    /// Compiles a whole plugin configuration.
    ///
    /// # Errors
    /// All problems at once, each with its JSON path.
    fn compile(document: &[u8], node: &Node) -> Result<Self, Problems>;

    /// As [`crate::Filter::warnings`].
    fn warnings(&self) -> &[Warning];

    /// What a phase reads. A connection has no header maps: they read as empty.
    fn demand(&self, phase: TcpPhase) -> &Demand;

    /// As [`crate::Filter::expressions`].
    fn expressions(&self) -> Vec<Expression>;

    /// How many bytes of a side's data [`TcpFilter::data`] is shown, at most; `None` if it need not be called for that side of
    /// this connection now. Nothing is read for it then.
    fn shown(&self, connection: &Self::Connection, side: Side) -> Option<usize>;

    /// As [`crate::Filter::tick_period`].
    fn tick_period(&self) -> Option<Duration>;

    /// Decides on a new connection.
    fn opened(
        &mut self,
        connection: &mut Self::Connection,
        facts: &Facts<'_>,
        edits: &mut Edits,
        io: &mut Io<'_>,
    ) -> TcpVerdict;

    /// Decides on data. The host cannot hold back what comes from the server: there, only [`TcpVerdict::Close`] has an effect.
    fn data(
        &mut self,
        connection: &mut Self::Connection,
        data: Data<'_>,
        facts: &Facts<'_>,
        edits: &mut Edits,
        io: &mut Io<'_>,
    ) -> TcpVerdict;

    /// As [`crate::Filter::called`].
    fn called(&mut self, id: CallId, answer: Answer<'_>, io: &mut Io<'_>);

    /// Decides about a connection that waited. [`TcpVerdict::Hold`] is [`TcpVerdict::Continue`] here.
    fn resume(
        &mut self,
        connection: &mut Self::Connection,
        why: Resumption,
        edits: &mut Edits,
        io: &mut Io<'_>,
    ) -> TcpVerdict;

    /// As [`crate::Filter::gone`].
    fn gone(&mut self, connection: &mut Self::Connection, io: &mut Io<'_>);

    /// One side is closed.
    fn closed(&mut self, connection: &mut Self::Connection, side: Side, by: ClosedBy, io: &mut Io<'_>);

    /// Sees the end of the connection.
    fn end(&mut self, connection: &mut Self::Connection, facts: &Facts<'_>, io: &mut Io<'_>);

    /// As [`crate::Filter::tick`].
    fn tick(&mut self, io: &mut Io<'_>);

    /// As [`crate::Filter::finish`].
    fn finish(&mut self, io: &mut Io<'_>);
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;
    use weir_testing::Rows;

    #[test]
    fn what_is_written_is_read_back() {
        let some = TcpCallbacks { downstream_data: Need::Always, close: Need::Some, ..TcpCallbacks::NONE };
        assert_eq!(&some.encode(), b"+-?");
        let mut rows = Rows::default();
        for callbacks in [TcpCallbacks::NONE, some] {
            rows.check(format!("{callbacks:?}"), TcpCallbacks::decode(&callbacks.encode()), Some(callbacks));
        }
        for damaged in [b"".as_slice(), b"+-", b"+-?-", b"+-x"] {
            rows.check(format!("{damaged:?}"), TcpCallbacks::decode(damaged), None);
        }
    }

    #[test]
    fn close_types_are_those_of_the_abi() {
        for (number, by) in
            [(0, ClosedBy::Unknown), (1, ClosedBy::Proxy), (2, ClosedBy::Peer), (u32::MAX, ClosedBy::Unknown)]
        {
            assert_eq!(ClosedBy::from_abi(number), by, "{number}");
        }
    }
}
