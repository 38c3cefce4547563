//! A configured core with what it shares between the streams of one VM.

use crate::abi;
use crate::cells::SharedCells;
use crate::drain::{MetricIds, drain};
use crate::fetch::{Blocks, Plan};
use std::time::Duration;
use weir_model::{Answer, Attributes, Demand, Effects, Facts, Filter, Headers, Io, Now, Phase, Verdict};

/// The core of one plugin configuration. Streams keep the one they began with until they end.
pub(crate) struct Core<F: Filter> {
    filter: F,
    plans: [Plan; 4],
    attributes: Attributes,
    blocks: Blocks,
    effects: Effects,
    ids: MetricIds,
    cells: SharedCells,
    /// A stream has come: from now on this VM ticks where its core wants it.
    started: bool,
    /// How often the timer fires.
    period: Option<Duration>,
    /// Its root context is gone, or has another core: the timer is not this core's any more.
    retired: bool,
}

/// The demanded facts could not be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unfetched;

impl<F: Filter> Core<F> {
    /// Wraps a compiled filter. What it reads is planned when its first stream comes.
    pub(crate) fn new(filter: F) -> Self {
        Self {
            filter,
            plans: Phase::ALL.map(|_| Plan::new(&Demand::idle())),
            attributes: Attributes::default(),
            blocks: Blocks::default(),
            effects: Effects::default(),
            ids: MetricIds::default(),
            cells: SharedCells,
            started: false,
            period: None,
            retired: false,
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

    /// Stops the timer for good: Envoy would go on firing it after the root context is gone.
    pub(crate) fn retire(&mut self) {
        self.retired = true;
        self.arm();
    }

    /// Sets the timer as the core wants it now.
    fn arm(&mut self) {
        let period = if self.retired { None } else { self.filter.tick_period() };
        if period == self.period {
            return;
        }
        self.period = period;
        // No period stops the timer.
        let millis = |period: Duration| u32::try_from(period.as_millis()).unwrap_or(u32::MAX).max(1);
        if abi::set_tick_period(period.map_or(0, millis)).is_err() {
            abi::log(3, "weir: the host gave no timer");
        }
    }

    /// Fetches what `phase` demands and gives it to `ask`.
    fn with_facts<T>(
        &mut self,
        phase: Phase,
        with_body: bool,
        ask: impl FnOnce(&mut F, &Facts<'_>, &mut Io<'_>) -> T,
    ) -> Result<T, Unfetched> {
        let Self { filter, plans, attributes, blocks, effects, cells, .. } = self;
        let plan = of_phase(plans, phase);
        attributes.clear();
        let now = plan.now();
        let result = match plan.fetch(with_body, blocks, attributes) {
            Err(_) => Err(Unfetched),
            Ok(()) => {
                let facts = Facts {
                    request_headers: Headers::new(&blocks.request_headers),
                    response_headers: Headers::new(&blocks.response_headers),
                    response_trailers: Headers::new(&blocks.response_trailers),
                    attributes,
                };
                Ok(ask(filter, &facts, &mut Io { now, cells, effects }))
            }
        };
        *blocks = Blocks::default();
        result
    }

    /// Asks the core about request headers.
    pub(crate) fn request(&mut self, stream: &mut F::Stream, with_body: bool) -> Result<Verdict, Unfetched> {
        self.with_facts(Phase::Request, with_body, |filter, facts, io| filter.request(stream, facts, io))
    }

    /// Gives the core the answer it awaited.
    pub(crate) fn answer(&mut self, stream: &mut F::Stream, answer: Answer<'_>) -> Verdict {
        let mut io = Io { now: now(), cells: &mut self.cells, effects: &mut self.effects };
        self.filter.answer(stream, answer, &mut io)
    }

    /// Shows the core the response headers.
    pub(crate) fn response(&mut self, stream: &mut F::Stream) {
        // A map that is not there has nothing to show.
        let _ = self.with_facts(Phase::Response, true, |filter, facts, io| filter.response(stream, facts, io));
    }

    /// Shows the core the end of a stream. `with_body` unless the request is known to have ended with its headers.
    pub(crate) fn end(&mut self, stream: &mut F::Stream, phase: Phase, with_body: bool) {
        let _ = self.with_facts(phase, with_body, |filter, facts, io| filter.end(stream, phase, facts, io));
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self) {
        if self.started {
            let mut io = Io { now: now(), cells: &mut self.cells, effects: &mut self.effects };
            self.filter.tick(&mut io);
        }
    }

    /// Does what the core left to be done.
    pub(crate) fn drain(&mut self) {
        drain(&mut self.effects, &mut self.ids);
        self.arm();
    }
}

/// What a core still holds back, it lets go of in a last tick.
impl<F: Filter> Drop for Core<F> {
    fn drop(&mut self) {
        if self.started {
            let mut io = Io { now: Now::END, cells: &mut self.cells, effects: &mut self.effects };
            self.filter.tick(&mut io);
            drain(&mut self.effects, &mut self.ids);
        }
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

fn now() -> Now {
    Now { wall_nanos: abi::wall_nanos(), mono_nanos: abi::mono_nanos() }
}
