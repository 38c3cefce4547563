//! TCP filters: an adapter that makes one a filter like any other, the callbacks of its connections, and a module that
//! holds an HTTP filter and a TCP filter.

use crate::abi::{self, Buffer};
use crate::core::{Core, Settled};
use crate::network::INSTEAD_OF_BOTH;
use crate::protocol::{self, Protocol};
use crate::stream::Stream;
use crate::vm::{CONTINUE, STOP_ITERATION, Vm};
use std::cell::Cell;
use std::time::Duration;
use weir_model::{
    Answer, CallId, Callbacks, ClosedBy, Data, Demand, Edits, Expression, Facts, Filter, Io, Need, Node, Phase,
    Problems, Resumption, Side, TCP_ROOT_ID, TcpCallbacks, TcpFilter, TcpPhase, TcpVerdict, Verdict, Warning,
};

/// A TCP filter as the core of streams: [`Phase::Request`] is [`TcpPhase::Opened`], and [`Phase::Response`] is
/// [`TcpPhase::Data`]. A connection is refused with [`Verdict::Reply`], whose content does not matter.
#[derive(Debug)]
pub struct Tcp<T> {
    filter: T,
    idle: Demand,
}

/// What happens to a connection after a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passage {
    Continue,
    Stop,
    Close,
}

fn verdict(of_connection: TcpVerdict) -> Verdict {
    match of_connection {
        TcpVerdict::Continue | TcpVerdict::Hold => Verdict::Continue,
        TcpVerdict::Close => Verdict::Reply(Box::default()),
        TcpVerdict::Await(call) => Verdict::Await(call),
    }
}

impl<T: TcpFilter> Filter for Tcp<T> {
    const CALLBACKS: Callbacks = {
        let TcpCallbacks { downstream_data, upstream_data, .. } = T::CALLBACKS;
        let data = !matches!((downstream_data, upstream_data), (Need::Never, Need::Never));
        Callbacks { response: if data { Need::Always } else { Need::Never }, ..T::CALLBACKS.common() }
    };

    type Stream = T::Connection;

    fn compile(document: &[u8], node: &Node) -> Result<Self, Problems> {
        Ok(Self { filter: T::compile(document, node)?, idle: Demand::idle() })
    }

    fn warnings(&self) -> &[Warning] {
        self.filter.warnings()
    }

    fn demand(&self, phase: Phase) -> &Demand {
        match phase {
            Phase::Request => self.filter.demand(TcpPhase::Opened),
            Phase::Response => self.filter.demand(TcpPhase::Data),
            Phase::End => self.filter.demand(TcpPhase::End),
            Phase::EndUnseen => &self.idle,
        }
    }

    fn expressions(&self) -> Vec<Expression> {
        self.filter.expressions()
    }

    fn tick_period(&self) -> Option<Duration> {
        self.filter.tick_period()
    }

    fn request(&mut self, state: &mut T::Connection, facts: &Facts<'_>, edits: &mut Edits, io: &mut Io<'_>) -> Verdict {
        verdict(self.filter.opened(state, facts, edits, io))
    }

    fn called(&mut self, id: CallId, answer: Answer<'_>, io: &mut Io<'_>) {
        self.filter.called(id, answer, io);
    }

    fn resume(&mut self, state: &mut T::Connection, why: Resumption, edits: &mut Edits, io: &mut Io<'_>) -> Verdict {
        verdict(self.filter.resume(state, why, edits, io))
    }

    fn gone(&mut self, state: &mut T::Connection, io: &mut Io<'_>) {
        self.filter.gone(state, io);
    }

    // Data comes to `Stream::data`.
    fn response(&mut self, _: &mut T::Connection, _: &Facts<'_>, _: &mut Edits, _: &mut Io<'_>) {}

    fn end(&mut self, state: &mut T::Connection, _: Phase, facts: &Facts<'_>, io: &mut Io<'_>) {
        self.filter.end(state, facts, io);
    }

    fn tick(&mut self, io: &mut Io<'_>) {
        self.filter.tick(io);
    }

    fn finish(&mut self, io: &mut Io<'_>) {
        self.filter.finish(io);
    }
}

impl<T: TcpFilter> Stream<Tcp<T>> {
    /// Does what a verdict asks for. A connection cannot be held at its upstream side.
    fn pass(&mut self, core: &mut Core<Tcp<T>>, of_connection: TcpVerdict, side: Side) -> Passage {
        let holds = matches!(of_connection, TcpVerdict::Hold);
        if side == Side::Upstream && of_connection != TcpVerdict::Close || holds {
            core.drain();
            return if side == Side::Upstream { Passage::Continue } else { Passage::Stop };
        }
        match core.settle(&mut self.state, verdict(of_connection)) {
            Settled::GoesOn => Passage::Continue,
            Settled::Replied(_) => Passage::Close,
            Settled::Waits(call) => {
                self.held = true;
                core.hold(self.context, call, std::mem::take(&mut self.state));
                Passage::Stop
            }
        }
    }

    fn opened(&mut self) -> Passage {
        self.seen = true;
        let passage = self.with_core(|stream, core| {
            core.start();
            if core.idle(Phase::Request) {
                return Passage::Continue;
            }
            let state = &mut stream.state;
            let ask = |tcp: &mut Tcp<T>, facts: &Facts<'_>, edits: &mut Edits, io: &mut Io<'_>| {
                tcp.filter.opened(state, facts, edits, io)
            };
            let verdict = match core.with_facts(Phase::Request, true, ask) {
                // A TCP proxy reads only once it knows of the connection: held here, it would wait forever.
                Ok(TcpVerdict::Hold) => TcpVerdict::Continue,
                verdict => verdict.unwrap_or(TcpVerdict::Close),
            };
            stream.pass(core, verdict, Side::Downstream)
        });
        passage.unwrap_or(Passage::Close)
    }

    fn data(&mut self, side: Side, length: usize, end: bool) -> Passage {
        let passage = self.with_core(|stream, core| {
            if stream.held && core.waits(stream.context) {
                return if side == Side::Upstream { Passage::Continue } else { Passage::Stop };
            }
            stream.take_back(core);
            let shown = core.filter().filter.shown(&stream.state, side);
            let Some(shown) = shown.filter(|_| !core.idle(Phase::Response)) else {
                return Passage::Continue;
            };
            let first = match read(side, length.min(shown)) {
                Ok(first) => first,
                Err(()) => return Passage::Close,
            };
            let data = Data { side, length, first: &first, end };
            let state = &mut stream.state;
            let ask = |tcp: &mut Tcp<T>, facts: &Facts<'_>, edits: &mut Edits, io: &mut Io<'_>| {
                tcp.filter.data(state, data, facts, edits, io)
            };
            let verdict = core.with_facts(Phase::Response, true, ask);
            stream.pass(core, verdict.unwrap_or(TcpVerdict::Close), side)
        });
        passage.unwrap_or(Passage::Close)
    }

    fn closed(&mut self, side: Side, by: ClosedBy) {
        self.with_core(|stream, core| {
            // A server that has said all it has to say does not end the wait of its client.
            if side == Side::Upstream && stream.held && core.waits(stream.context) {
                return core.while_waiting(stream.context, |tcp, state, io| tcp.filter.closed(state, side, by, io));
            }
            stream.take_back(core);
            let (tcp, mut io) = core.parts();
            tcp.filter.closed(&mut stream.state, side, by, &mut io);
            core.drain();
        });
    }
}

/// The first bytes of a side's data. If the host does not hand them over, there is no decision.
fn read(side: Side, length: usize) -> Result<Box<[u8]>, ()> {
    if length == 0 {
        return Ok(Box::default());
    }
    let buffer = match side {
        Side::Downstream => Buffer::DownstreamData,
        Side::Upstream => Buffer::UpstreamData,
    };
    abi::buffer(buffer, length).map_err(drop)
}

impl<T: TcpFilter> Vm<Tcp<T>> {
    /// Acts outside of all borrows: a connection that is closed calls back at once.
    fn act(&self, context: u32, act: impl FnOnce(&mut Stream<Tcp<T>>) -> Passage) -> u32 {
        // A connection whose context is not there is not decided: it must not go on.
        match self.with_stream(context, act).unwrap_or(Passage::Close) {
            Passage::Continue => CONTINUE,
            Passage::Stop => STOP_ITERATION,
            Passage::Close => {
                protocol::close();
                STOP_ITERATION
            }
        }
    }
}

thread_local! {
    static LOGGED: Cell<bool> = const { Cell::new(false) };
}

/// The contexts of a VM that runs an HTTP filter and a TCP filter. [`crate::module!`] makes one and exports its callbacks.
/// A plugin whose root id is [`TCP_ROOT_ID`] is the TCP filter, any other the HTTP filter.
pub struct HttpAndTcp<H: Filter, T: TcpFilter> {
    http: Vm<H>,
    tcp: Vm<Tcp<T>>,
    /// A plugin of this VM is a TCP filter. Where none is, requests are not asked whose they are.
    has_tcp: Cell<bool>,
}

impl<H: Filter, T: TcpFilter> Default for HttpAndTcp<H, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<H: Filter, T: TcpFilter> HttpAndTcp<H, T> {
    /// A VM without contexts.
    #[must_use]
    pub const fn new() -> Self {
        Self { http: Vm::new(), tcp: Vm::of(Protocol::Tcp), has_tcp: Cell::new(false) }
    }

    fn is_tcp(&self, context: u32) -> bool {
        self.has_tcp.get() && self.tcp.has(context)
    }

    /// As [`Vm::on_context_create`].
    pub fn on_context_create(&self, context: u32, parent: u32) {
        let tcp = match parent {
            0 => abi::property(b"plugin_root_id").is_ok_and(|id| *id == *TCP_ROOT_ID.as_bytes()),
            parent => self.is_tcp(parent),
        };
        match tcp {
            true => {
                self.has_tcp.set(true);
                self.tcp.on_context_create(context, parent);
            }
            false => self.http.on_context_create(context, parent),
        }
    }

    /// As [`Vm::on_delete`].
    pub fn on_delete(&self, context: u32) {
        let lender = || self.http.any_root().or_else(|| self.tcp.any_root());
        let root = match self.is_tcp(context) {
            true => self.tcp.remove(context, lender),
            false => self.http.remove(context, lender),
        };
        // Counters are those of the whole VM.
        if root && !self.http.go_on() {
            self.tcp.go_on();
        }
    }

    /// As [`Vm::on_configure`].
    pub fn on_configure(&self, context: u32) -> u32 {
        match self.is_tcp(context) {
            true => self.tcp.on_configure(context),
            false => self.http.on_configure(context),
        }
    }

    /// As [`Vm::on_tick`].
    pub fn on_tick(&self, context: u32) {
        match self.is_tcp(context) {
            true => self.tcp.on_tick(context),
            false => self.http.on_tick(context),
        }
    }

    /// As [`Vm::on_done`].
    pub fn on_done(&self, context: u32) -> u32 {
        match self.is_tcp(context) {
            true => self.tcp.on_done(context),
            false => self.http.on_done(context),
        }
    }

    /// As [`Vm::on_log`].
    pub fn on_log(&self, context: u32) {
        match self.is_tcp(context) {
            true => self.tcp.on_log(context),
            false => self.http.on_log(context),
        }
    }

    /// As [`Vm::on_request_headers`]. A request that comes to the TCP filter is refused.
    pub fn on_request_headers(&self, context: u32, end_of_stream: bool) -> u32 {
        if !self.is_tcp(context) {
            return self.http.on_request_headers(context, end_of_stream);
        }
        if !LOGGED.replace(true) {
            abi::log(
                4,
                "weir: the root id `weir.tcp` is the TCP filter's, which is loaded as an HTTP filter: every request is \
                 refused; use `envoy.filters.network.wasm`",
            );
        }
        crate::reply::refuse_undecided();
        STOP_ITERATION
    }

    /// As [`Vm::on_response_headers`].
    pub fn on_response_headers(&self, context: u32) -> u32 {
        self.http.on_response_headers(context)
    }

    /// A connection has been accepted. The HTTP filter closes it.
    pub fn on_new_connection(&self, context: u32) -> u32 {
        match self.is_tcp(context) {
            true => self.tcp.act(context, Stream::opened),
            false => self.http.close_connection(context, INSTEAD_OF_BOTH),
        }
    }

    /// Data has come from a side.
    pub fn on_data(&self, context: u32, side: Side, length: usize, end: bool) -> u32 {
        match self.is_tcp(context) {
            true => self.tcp.act(context, |stream| stream.data(side, length, end)),
            // The HTTP filter has closed the connection.
            false => STOP_ITERATION,
        }
    }

    /// A side is closed.
    pub fn on_close(&self, context: u32, side: Side, by: u32) {
        self.tcp.with_stream(context, |stream| stream.closed(side, ClosedBy::from_abi(by)));
    }
}
