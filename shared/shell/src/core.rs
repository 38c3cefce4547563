//! A configured core with what it shares between the streams of one VM.

mod calls;

pub(crate) use calls::Settled;

use crate::abi;
use crate::cel::Compiled;
use crate::cells::SharedCells;
use crate::drain::{apply, drain};
use crate::fetch::{Blocks, Plan};
use crate::late::LatePlan;
use crate::metrics::{FLUSH, Metrics};
use crate::protocol::Protocol;
use crate::waiting::Waiting;
use std::cell::RefCell;
use std::rc::Weak;
use std::time::Duration;
use weir_model::{Attributes, CallId, Demand, Edits, Effects, Facts, Filter, Headers, Io, Late, Now, Phase, Verdict};

/// The core of one plugin configuration. Streams keep the one they began with until they end.
pub(crate) struct Core<F: Filter> {
    filter: F,
    protocol: Protocol,
    plans: [Plan; 4],
    expressions: Compiled,
    attributes: Attributes,
    blocks: Blocks,
    effects: Effects,
    edits: Edits,
    metrics: Metrics,
    cells: SharedCells,
    /// This core, as the caller of its callouts.
    me: Weak<RefCell<Self>>,
    /// The root context on which they run, and whether that is another one, because its own is gone.
    root: u32,
    is_lent: bool,
    /// Callouts that were sent and have no answer yet.
    in_flight: Vec<CallId>,
    /// The states of streams that wait.
    waiting: Waiting<F::Stream>,
    /// A stream has come: from now on this VM ticks where its core wants it.
    started: bool,
    /// How often the timer fires.
    period: Option<Duration>,
    /// How often the filter wants to be called, and when the next time is due, on the monotonic clock.
    filter_period: Option<Duration>,
    due: u64,
    /// Its root context is gone, or has another core: the timer is not this core's any more.
    retired: bool,
    /// The filter has released what it held back.
    finished: bool,
    /// The host keeps the root context until the last answer.
    ending: bool,
}

/// The demanded facts could not be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unfetched;

impl<F: Filter> Core<F> {
    /// Wraps a compiled filter. What it reads is planned when its first stream comes.
    pub(crate) fn new(
        filter: F,
        expressions: Compiled,
        (protocol, root): (Protocol, u32),
        me: Weak<RefCell<Self>>,
    ) -> Self {
        Self {
            filter,
            protocol,
            plans: Phase::ALL.map(|_| Plan::new(&Demand::idle())),
            expressions,
            attributes: Attributes::default(),
            blocks: Blocks::default(),
            effects: Effects::default(),
            edits: Edits::default(),
            metrics: Metrics::default(),
            cells: SharedCells,
            me,
            root,
            is_lent: false,
            in_flight: Vec::new(),
            waiting: Waiting::default(),
            started: false,
            period: None,
            filter_period: None,
            due: 0,
            retired: false,
            finished: false,
            ending: false,
        }
    }

    /// Whether a phase has nothing to do.
    pub(crate) fn idle(&self, phase: Phase) -> bool {
        let [request, response, end, unseen] = &self.plans;
        match phase {
            Phase::Request => request.idle,
            Phase::Response => response.idle,
            Phase::End => end.idle,
            Phase::EndUnseen => unseen.idle,
        }
    }

    /// With the first stream: plans what is read, and arms the timer. A VM without traffic does nothing.
    pub(crate) fn start(&mut self) {
        if self.started {
            return;
        }
        self.started = true;
        self.plans = Phase::ALL.map(|phase| Plan::new(self.filter.demand(phase)));
        self.arm();
    }

    /// Stops the timer for good: Envoy would go on firing it after the root context is gone. What is counted from now on
    /// goes to Envoy at once.
    pub(crate) fn retire(&mut self) {
        self.retired = true;
        self.metrics.hand_over();
        self.arm();
    }

    /// Sets the timer as the core and its counters want it now.
    pub(crate) fn arm(&mut self) {
        let flush = self.metrics.period();
        let of_filter = self.filter.tick_period();
        if of_filter != self.filter_period {
            let next = of_filter.map_or(0, |period| abi::mono_nanos().saturating_add(nanos(period)));
            // A filter that changes its period again and again is still called.
            self.due = if self.filter_period.is_some() { self.due.min(next) } else { next };
            self.filter_period = of_filter;
        }
        let period = match of_filter {
            _ if self.retired => None,
            Some(period) => Some(flush.map_or(period, |flush| flush.min(period))),
            None => flush,
        };
        if period == self.period {
            return;
        }
        self.period = period;
        if period.is_none() {
            self.plans.iter_mut().for_each(Plan::stop);
        }
        // No period stops the timer.
        let millis = |period: Duration| u32::try_from(period.as_millis()).unwrap_or(u32::MAX).max(1);
        if abi::set_tick_period(period.map_or(0, millis)).is_err() {
            abi::log(3, "weir: the host set no timer");
        }
    }

    /// Fetches what `phase` demands and gives it to `ask`.
    pub(crate) fn with_facts<T>(
        &mut self,
        phase: Phase,
        with_body: bool,
        ask: impl FnOnce(&mut F, &Facts<'_>, &mut Edits, &mut Io<'_>) -> T,
    ) -> Result<T, Unfetched> {
        let Self { filter, plans, expressions, attributes, blocks, effects, edits, cells, .. } = self;
        let plan = of_phase(plans, phase);
        attributes.clear();
        let now = plan.now();
        let result = match plan.fetch(with_body, blocks, attributes) {
            Err(_) => Err(Unfetched),
            Ok(()) if phase == Phase::Request && plan.request_headers && !blocks.have_request_headers() => {
                Err(Unfetched)
            }
            Ok(()) => {
                let facts = Facts {
                    request_headers: Headers::new(&blocks.request_headers),
                    response_headers: Headers::new(&blocks.response_headers),
                    response_trailers: Headers::new(&blocks.response_trailers),
                    attributes,
                };
                let mut late = plan.late.as_deref_mut().map(LatePlan::of_stream);
                let io = &mut Io {
                    expressions: Some(&*expressions),
                    late: late.as_mut().map(|late| late as &mut dyn Late),
                    ..Io::new(now, cells, effects)
                };
                Ok(ask(filter, &facts, edits, io))
            }
        };
        *blocks = Blocks::default();
        result
    }

    /// Asks the core about request headers.
    pub(crate) fn request(&mut self, stream: &mut F::Stream, with_body: bool) -> Result<Verdict, Unfetched> {
        self.with_facts(Phase::Request, with_body, |filter, facts, edits, io| filter.request(stream, facts, edits, io))
    }

    /// Shows the core the response headers.
    pub(crate) fn response(&mut self, stream: &mut F::Stream) {
        // There is nothing to show without a map.
        let _ = self
            .with_facts(Phase::Response, true, |filter, facts, edits, io| filter.response(stream, facts, edits, io));
    }

    /// Shows the core the end of a stream. `with_body` unless the request is known to have ended with its headers.
    pub(crate) fn end(&mut self, stream: &mut F::Stream, phase: Phase, with_body: bool) {
        let _ = self.with_facts(phase, with_body, |filter, facts, _, io| filter.end(stream, phase, facts, io));
    }

    /// The timer has fired: for the filter if its own period has passed, and for the counters.
    pub(crate) fn tick(&mut self) {
        if let Some(period) = self.filter.tick_period()
            && self.started
        {
            let Self { filter, cells, effects, due, .. } = self;
            let mut io = Io::new(now(), cells, effects);
            let now = io.now.mono_nanos;
            // A timer may fire a little early.
            let slack = nanos(period.min(FLUSH)) / 2;
            if now.saturating_add(slack) >= *due {
                *due = now.saturating_add(nanos(period));
                filter.tick(&mut io);
            }
        }
        let now = abi::mono_nanos();
        self.plans.iter_mut().for_each(|plan| plan.tick(now));
        drain(&mut self.effects, &mut self.metrics);
        self.metrics.flush();
        self.drain();
    }

    /// Does what the core left to be done.
    pub(crate) fn drain(&mut self) {
        apply(&mut self.edits);
        drain(&mut self.effects, &mut self.metrics);
        if Self::CALLS && !(self.effects.calls.is_empty() && self.effects.cancelled.is_empty()) {
            self.send_calls();
        }
        if self.is_lent {
            self.metrics.create_all();
        }
        if self.retired {
            self.metrics.hand_over();
        }
        self.arm();
    }

    /// Has the filter release what it holds back. Returns whether that is done, or waits for answers.
    pub(crate) fn finish(&mut self) -> bool {
        if self.started && !self.finished {
            self.finished = true;
            let (filter, mut io) = self.parts();
            filter.finish(&mut io);
            self.drain();
            self.metrics.hand_over();
        }
        self.ending = !self.in_flight.is_empty();
        !self.ending
    }

    /// The filter.
    pub(crate) fn filter(&self) -> &F {
        &self.filter
    }

    /// The filter and what it may reach.
    pub(crate) fn parts(&mut self) -> (&mut F, Io<'_>) {
        let Self { filter, cells, effects, .. } = self;
        (filter, Io::new(now(), cells, effects))
    }
}

/// A core releases what it still holds back when its last stream and its root context are gone.
impl<F: Filter> Drop for Core<F> {
    fn drop(&mut self) {
        if Self::CALLS {
            crate::callout::forget_dead();
        }
        if self.started && !self.finished {
            let (filter, mut io) = self.parts();
            filter.finish(&mut io);
        }
        if Self::CALLS {
            self.abandon_calls();
        }
        drain(&mut self.effects, &mut self.metrics);
        self.metrics.hand_over();
    }
}

fn of_phase(plans: &mut [Plan; 4], phase: Phase) -> &mut Plan {
    let [request, response, end, unseen] = plans;
    match phase {
        Phase::Request => request,
        Phase::Response => response,
        Phase::End => end,
        Phase::EndUnseen => unseen,
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn now() -> Now {
    Now { wall_nanos: abi::wall_nanos(), mono_nanos: abi::mono_nanos() }
}
