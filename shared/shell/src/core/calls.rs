//! Callouts of a core, and the streams that wait for them.

use super::Core;
use crate::abi;
use crate::callout::{self, Caller};
use crate::drain::drain;
use crate::late::LatePlan;
use std::cell::RefCell;
use std::rc::Weak;
use weir_model::{Answer, CallFailure, CallId, Filter, Io, Late, Need, Reply, Resumption, Verdict};

/// How many callouts of one configuration may be in flight in one VM.
const IN_FLIGHT: usize = 1024;
/// How often in one callback a core may ask again after callouts that could not be sent, and a stream be decided again.
const ROUNDS: usize = 8;

/// What happens to a request.
#[derive(Debug)]
pub(crate) enum Settled {
    /// It goes on.
    GoesOn,
    /// It is answered here.
    Replied(Box<Reply>),
    /// It is held.
    Waits(CallId),
}

impl<F: Filter> Core<F> {
    /// Whether the module has the callbacks of answers. All code for callouts depends on it, and the compiler drops it.
    pub(crate) const CALLS: bool = !matches!(F::CALLBACKS.calls, Need::Never);

    /// Does what a verdict and the effects ask for, until it is clear what happens to the request. The stream's context is
    /// in effect.
    pub(crate) fn settle(&mut self, stream: &mut F::Stream, mut verdict: Verdict) -> Settled {
        for _ in 0..=ROUNDS {
            self.drain();
            let id = match verdict {
                Verdict::Continue => return Settled::GoesOn,
                Verdict::Reply(reply) => return Settled::Replied(reply),
                Verdict::Await(id) => id,
            };
            if !Self::CALLS || self.effects.calls.iter().any(|(queued, _)| *queued == id) {
                break;
            }
            let why = match self.in_flight.contains(&id) {
                false => Resumption::Answered(id),
                true if self.waiting.is_full(id) => Resumption::TooManyWaiting(id),
                true => return Settled::Waits(id),
            };
            verdict = self.resume(stream, why);
        }
        self.gone(stream);
        let details = "weir_callout_failed".to_owned();
        Settled::Replied(Box::new(Reply { status: 500, details, ..Reply::default() }))
    }

    fn resume(&mut self, stream: &mut F::Stream, why: Resumption) -> Verdict {
        let mut edits = std::mem::take(&mut self.edits);
        let Self { filter, cells, effects, plans: [request, ..], .. } = self;
        let mut late = request.late.as_deref_mut().map(LatePlan::in_effect);
        let late = late.as_mut().map(|late| late as &mut dyn Late);
        let mut io = Io { late, ..Io::new(super::now(), cells, effects) };
        let verdict = filter.resume(stream, why, &mut edits, &mut io);
        self.edits = edits;
        verdict
    }

    /// Keeps the state of a stream that waits.
    pub(crate) fn hold(&mut self, context: u32, call: CallId, stream: F::Stream) {
        self.waiting.keep(context, Some(call), stream);
    }

    /// Shows the core something about a stream that waits and goes on waiting.
    pub(crate) fn while_waiting(&mut self, context: u32, show: impl FnOnce(&mut F, &mut F::Stream, &mut Io<'_>)) {
        let Self { filter, cells, effects, waiting, .. } = self;
        if let Some(state) = waiting.state(context) {
            show(filter, state, &mut Io::new(super::now(), cells, effects));
        }
        self.drain();
    }

    /// Takes back the state of a stream that was held. One that still waited has left.
    pub(crate) fn take_back(&mut self, context: u32) -> Option<F::Stream> {
        let (mut stream, waited) = self.waiting.take(context)?;
        if waited {
            self.gone(&mut stream);
        }
        Some(stream)
    }

    fn gone(&mut self, stream: &mut F::Stream) {
        let (filter, mut io) = self.parts();
        filter.gone(stream, &mut io);
        self.drain();
    }

    /// Ends the callouts that are of no use any more. One that the host cannot end stays in flight until its answer comes.
    fn cancel_calls(&mut self) {
        for id in std::mem::take(&mut self.effects.cancelled) {
            self.effects.calls.retain(|(queued, _)| *queued != id);
            // A configuration that ends waits for the last answer.
            let me: Weak<dyn Caller> = self.me.clone();
            if !self.ending && callout::cancel(id, &me) {
                self.in_flight.retain(|known| *known != id);
            }
        }
    }

    /// Sends the callouts that are asked for. What cannot be sent is answered at once, which may ask for more. What is
    /// asked for after that many rounds is left for the next callback.
    #[inline(never)]
    pub(super) fn send_calls(&mut self) {
        self.cancel_calls();
        for _ in 0..ROUNDS {
            let calls = std::mem::take(&mut self.effects.calls);
            if calls.is_empty() {
                return;
            }
            for (id, callout) in calls {
                let room = self.in_flight.len() < IN_FLIGHT;
                match if room { callout::send(&callout) } else { Err(CallFailure::NotSent) } {
                    Ok(token) => {
                        self.in_flight.push(id);
                        callout::register(token, id, self.me.clone(), (self.root, self.is_lent));
                    }
                    Err(failure) => self.called(id, Answer::Failed(failure)),
                }
            }
            drain(&mut self.effects, &mut self.metrics);
        }
    }

    /// Goes on without a root context of its own: on `lender`, which is in effect, it sends what the filter still holds back,
    /// and again what was in flight. What is in flight keeps the core.
    pub(crate) fn go_on_as_guest(&mut self, lender: u32) {
        if !Self::CALLS || !self.started {
            return;
        }
        // What is counted so far waits for the next configuration, which is not asked again for what comes.
        self.metrics.hand_over();
        (self.root, self.is_lent) = (lender, true);
        for id in std::mem::take(&mut self.in_flight) {
            self.called(id, Answer::Failed(CallFailure::Reset));
        }
        if !self.finished {
            self.finished = true;
            let (filter, mut io) = self.parts();
            filter.finish(&mut io);
        }
        self.drain();
    }

    /// Answers what will have no answer: the host cancels callouts with their root context, and sends none any more.
    pub(super) fn abandon_calls(&mut self) {
        for id in std::mem::take(&mut self.in_flight) {
            self.called(id, Answer::Failed(CallFailure::Reset));
        }
        for _ in 0..ROUNDS {
            let calls = std::mem::take(&mut self.effects.calls);
            if calls.is_empty() {
                return;
            }
            for (id, _) in calls {
                self.called(id, Answer::Failed(CallFailure::NotSent));
            }
        }
    }

    fn called(&mut self, id: CallId, answer: Answer<'_>) {
        self.effects.owner = id.owner;
        let (filter, mut io) = self.parts();
        filter.called(id, answer, &mut io);
    }

    /// Takes an answer and decides about the streams that waited for it. Returns what happens to them.
    fn take_answer(&mut self, root: u32, id: CallId, answer: Answer<'_>) -> Vec<Decided> {
        let mut decided = Vec::new();
        self.in_flight.retain(|known| *known != id);
        self.called(id, answer);
        self.drain();
        for (context, mut stream) in self.waiting.take_all(id) {
            if abi::set_effective_context(context).is_err() {
                self.gone(&mut stream);
                self.waiting.keep(context, None, stream);
                continue;
            }
            let verdict = self.resume(&mut stream, Resumption::Answered(id));
            match self.settle(&mut stream, verdict) {
                Settled::Waits(call) => self.waiting.keep(context, Some(call), stream),
                Settled::GoesOn => {
                    self.waiting.keep(context, None, stream);
                    decided.push(Decided { context, reply: None });
                }
                Settled::Replied(reply) => {
                    self.waiting.keep(context, None, stream);
                    decided.push(Decided { context, reply: Some(reply) });
                }
            }
        }
        // What follows is the root's again; it exists, because the host calls it.
        let _ = abi::set_effective_context(root);
        if self.ending && self.in_flight.is_empty() {
            self.ending = false;
            if abi::done().is_err() {
                abi::log(3, "weir: the host would not end a configuration");
            }
        }
        decided
    }

    /// Whether a stream waits.
    pub(crate) fn waits(&self, context: u32) -> bool {
        Self::CALLS && self.waiting.waits(context)
    }
}

/// A stream that no longer waits: it goes on, or is refused.
struct Decided {
    context: u32,
    reply: Option<Box<Reply>>,
}

impl<F: Filter> Caller for RefCell<Core<F>> {
    fn answered(&self, root: u32, id: CallId, answer: Answer<'_>) {
        let (protocol, decided) = match self.try_borrow_mut() {
            Ok(mut core) => (core.protocol, core.take_answer(root, id, answer)),
            Err(_) => return abi::log(4, "weir: an answer came inside another callback and is lost"),
        };
        // Out of the core: a connection that goes on or is closed calls back at once.
        if decided.is_empty() {
            return;
        }
        for Decided { context, reply } in decided {
            if abi::set_effective_context(context).is_ok() {
                match reply {
                    None => protocol.resume(),
                    Some(reply) => protocol.refuse(&reply),
                }
            }
        }
        // What follows is the root's again; it exists, because the host calls it.
        let _ = abi::set_effective_context(root);
    }

    fn goes_on(&self, lender: u32) {
        if let Ok(mut core) = self.try_borrow_mut() {
            core.go_on_as_guest(lender);
        }
    }
}
