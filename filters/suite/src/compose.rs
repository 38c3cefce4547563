//! Three parts behave as one filter, exactly as three filters in a chain would.
//!
//! A part that another one kept from seeing the request sees no response either, and its end is
//! [`Phase::EndUnseen`], as in a chain. A part may hold the request for a callout; the facts of the request are then kept
//! for the parts behind it, because Envoy shows them only once.

use crate::Section;
use crate::part::{Demands, Due, Part};
use crate::stream::{Gate, Stream};
use std::time::Duration;
use weir_config::{Common, read_document};
use weir_model::{
    Answer, CallId, Callbacks, Demand, Edits, Expression, Facts, Filter, Io, Kept, Node, Phase, Problems, Reply,
    Resumption, Verdict, Warning,
};

/// Up to three filters in the order policy, rate limit, telemetry.
#[derive(Debug)]
pub struct Composed<P, R, T> {
    policy: Option<P>,
    rate_limit: Option<R>,
    telemetry: Option<T>,
    demands: Demands,
    warnings: Vec<Warning>,
    due: Due,
}

impl<P: Filter, R: Filter, T: Filter> Composed<P, R, T> {
    /// Composes the parts that are there.
    #[inline(never)]
    pub fn new(policy: Option<P>, rate_limit: Option<R>, telemetry: Option<T>) -> Self {
        let demands = demands(&policy, &rate_limit, &telemetry);
        Self { policy, rate_limit, telemetry, demands, warnings: Vec::new(), due: Due::default() }
    }

    /// The policy part.
    pub fn policy(&self) -> Option<&P> {
        self.policy.as_ref()
    }

    /// The rate limit part.
    pub fn rate_limit(&self) -> Option<&R> {
        self.rate_limit.as_ref()
    }

    /// The telemetry part.
    pub fn telemetry(&self) -> Option<&T> {
        self.telemetry.as_ref()
    }

    /// Asks the gates from `first` on.
    fn gates(
        &mut self,
        stream: &mut Stream<P, R, T>,
        first: Gate,
        facts: &Facts<'_>,
        edits: &mut Edits,
        io: &mut Io<'_>,
    ) -> Verdict {
        if first == Gate::Policy
            && let Some(policy) = active(&mut self.policy, Phase::Request)
        {
            io.effects.owner = Part::Policy.owner();
            match policy.request(&mut stream.policy, facts, edits, io) {
                Verdict::Continue => {}
                Verdict::Await(call) => {
                    stream.waiting = Some(Gate::Policy);
                    return Verdict::Await(call);
                }
                Verdict::Reply(reply) => return Verdict::Reply(reply),
            }
        }
        stream.limited = true;
        let Some(rate_limit) = active(&mut self.rate_limit, Phase::Request) else { return Verdict::Continue };
        io.effects.owner = Part::RateLimit.owner();
        let verdict = rate_limit.request(&mut stream.rate_limit, facts, edits, io);
        if matches!(verdict, Verdict::Await(_)) {
            stream.waiting = Some(Gate::RateLimit);
        }
        verdict
    }
}

/// What all parts together read, by phase.
#[inline(never)]
fn demands<P: Filter, R: Filter, T: Filter>(
    policy: &Option<P>,
    rate_limit: &Option<R>,
    telemetry: &Option<T>,
) -> Demands {
    Demands::new(|phase| {
        // A stream that policy answered ends unseen for the rate limit.
        let refused =
            if phase == Phase::End && policy.is_some() { demanded(rate_limit, Phase::EndUnseen) } else { None };
        let parts = [demanded(policy, phase), demanded(rate_limit, phase), demanded(telemetry, phase), refused];
        parts.into_iter().flatten().fold(Demand::idle(), |all, demand| all.union(demand))
    })
}

fn demanded<F: Filter>(part: &Option<F>, phase: Phase) -> Option<&Demand> {
    part.as_ref().map(|part| part.demand(phase))
}

/// The part, if it is there and has something to do in `phase`.
fn active<F: Filter>(part: &mut Option<F>, phase: Phase) -> Option<&mut F> {
    part.as_mut().filter(|part| !part.demand(phase).idle)
}

impl<P: Section, R: Section, T: Section> Filter for Composed<P, R, T> {
    const CALLBACKS: Callbacks = P::CALLBACKS.union(R::CALLBACKS).union(T::CALLBACKS);

    type Stream = Stream<P, R, T>;

    #[inline(never)]
    fn compile(document: &[u8], node: &Node) -> Result<Self, Problems> {
        read_document(document, |at| {
            let mut fields = at.object()?;
            let common = Common::read(&mut fields);
            let policy = fields.take("policy").map(|at| P::read(at, &common, node));
            let rate_limit = fields.take("rateLimit").map(|at| R::read(at, &common, node));
            let telemetry = fields.take("telemetry").map(|at| T::read(at, &common, node));
            fields.finish();
            let composed = Self::new(sound(policy)?, sound(rate_limit)?, sound(telemetry)?);
            Some(Self { warnings: at.take_warnings(), ..composed })
        })
    }

    fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    fn demand(&self, phase: Phase) -> &Demand {
        self.demands.of(phase)
    }

    fn expressions(&self) -> Vec<Expression> {
        let policy = self.policy.as_ref().map(Filter::expressions);
        let rate_limit = self.rate_limit.as_ref().map(Filter::expressions);
        let telemetry = self.telemetry.as_ref().map(Filter::expressions);
        let parts = [(Part::Policy, policy), (Part::RateLimit, rate_limit), (Part::Telemetry, telemetry)];
        let owned = parts.into_iter().flat_map(|(part, expressions)| {
            let own = move |expression| Expression { owner: part.owner(), ..expression };
            expressions.into_iter().flatten().map(own)
        });
        owned.collect()
    }

    /// The shortest of the parts' periods. A part may change its own at any time.
    fn tick_period(&self) -> Option<Duration> {
        let policy = self.policy.as_ref().and_then(Filter::tick_period);
        let rate_limit = self.rate_limit.as_ref().and_then(Filter::tick_period);
        let telemetry = self.telemetry.as_ref().and_then(Filter::tick_period);
        [policy, rate_limit, telemetry].into_iter().flatten().min()
    }

    fn request(&mut self, stream: &mut Self::Stream, facts: &Facts<'_>, edits: &mut Edits, io: &mut Io<'_>) -> Verdict {
        let verdict = self.gates(stream, Gate::Policy, facts, edits, io);
        if stream.waiting == Some(Gate::Policy) && self.rate_limit.is_some() {
            stream.kept = Some(Kept::new(facts));
        }
        if let Some(telemetry) = active(&mut self.telemetry, Phase::Request) {
            io.effects.owner = Part::Telemetry.owner();
            // Telemetry only looks: its verdict is always to go on.
            telemetry.request(&mut stream.telemetry, facts, edits, io);
        }
        verdict
    }

    /// An answer goes to the part that asked.
    fn called(&mut self, id: CallId, answer: Answer<'_>, io: &mut Io<'_>) {
        io.effects.owner = id.owner;
        match (Part::of_owner(id.owner), &mut self.policy, &mut self.rate_limit, &mut self.telemetry) {
            (Some(Part::Policy), Some(policy), ..) => policy.called(id, answer, io),
            (Some(Part::RateLimit), _, Some(rate_limit), _) => rate_limit.called(id, answer, io),
            (Some(Part::Telemetry), .., Some(telemetry)) => telemetry.called(id, answer, io),
            _ => {}
        }
    }

    fn resume(&mut self, stream: &mut Self::Stream, why: Resumption, edits: &mut Edits, io: &mut Io<'_>) -> Verdict {
        let kept = stream.kept.take();
        match (stream.waiting.take(), &mut self.policy, &mut self.rate_limit) {
            (Some(Gate::Policy), Some(policy), _) => {
                io.effects.owner = Part::Policy.owner();
                match (policy.resume(&mut stream.policy, why, edits, io), kept) {
                    (Verdict::Continue, Some(mut kept)) => {
                        // The parts behind it see the request as it has edited it.
                        kept.edit(&edits.request_headers);
                        self.gates(stream, Gate::RateLimit, &kept.facts(), edits, io)
                    }
                    (Verdict::Await(call), kept) => {
                        stream.waiting = Some(Gate::Policy);
                        stream.kept = kept;
                        Verdict::Await(call)
                    }
                    (verdict, _) => verdict,
                }
            }
            (Some(Gate::RateLimit), _, Some(rate_limit)) => {
                io.effects.owner = Part::RateLimit.owner();
                let verdict = rate_limit.resume(&mut stream.rate_limit, why, edits, io);
                if matches!(verdict, Verdict::Await(_)) {
                    stream.waiting = Some(Gate::RateLimit);
                }
                verdict
            }
            // No request waits without a gate.
            _ => Verdict::Reply(Box::new(Reply {
                status: 500,
                details: "weir_check_lost".to_owned(),
                ..Reply::default()
            })),
        }
    }

    fn gone(&mut self, stream: &mut Self::Stream, io: &mut Io<'_>) {
        stream.kept = None;
        match (stream.waiting.take(), &mut self.policy, &mut self.rate_limit) {
            (Some(Gate::Policy), Some(policy), _) => {
                io.effects.owner = Part::Policy.owner();
                policy.gone(&mut stream.policy, io);
            }
            (Some(Gate::RateLimit), _, Some(rate_limit)) => {
                io.effects.owner = Part::RateLimit.owner();
                rate_limit.gone(&mut stream.rate_limit, io);
            }
            _ => {}
        }
    }

    fn response(&mut self, stream: &mut Self::Stream, facts: &Facts<'_>, edits: &mut Edits, io: &mut Io<'_>) {
        // Encoder filters run in the reverse order of decoder filters.
        if let Some(telemetry) = active(&mut self.telemetry, Phase::Response) {
            io.effects.owner = Part::Telemetry.owner();
            telemetry.response(&mut stream.telemetry, facts, edits, io);
        }
        if let Some(rate_limit) = active(&mut self.rate_limit, Phase::Response).filter(|_| stream.limited) {
            io.effects.owner = Part::RateLimit.owner();
            rate_limit.response(&mut stream.rate_limit, facts, edits, io);
        }
        if let Some(policy) = active(&mut self.policy, Phase::Response) {
            io.effects.owner = Part::Policy.owner();
            policy.response(&mut stream.policy, facts, edits, io);
        }
    }

    fn end(&mut self, stream: &mut Self::Stream, phase: Phase, facts: &Facts<'_>, io: &mut Io<'_>) {
        if let Some(policy) = active(&mut self.policy, phase) {
            io.effects.owner = Part::Policy.owner();
            policy.end(&mut stream.policy, phase, facts, io);
        }
        let seen = if stream.limited { phase } else { Phase::EndUnseen };
        if let Some(rate_limit) = active(&mut self.rate_limit, seen) {
            io.effects.owner = Part::RateLimit.owner();
            rate_limit.end(&mut stream.rate_limit, seen, facts, io);
        }
        if let Some(telemetry) = active(&mut self.telemetry, phase) {
            io.effects.owner = Part::Telemetry.owner();
            telemetry.end(&mut stream.telemetry, phase, facts, io);
        }
    }

    fn tick(&mut self, io: &mut Io<'_>) {
        let slack = self.tick_period().unwrap_or_default() / 2;
        let Due { policy, rate_limit, telemetry } = &mut self.due;
        tick(self.policy.as_mut(), Part::Policy, policy, slack, io);
        tick(self.rate_limit.as_mut(), Part::RateLimit, rate_limit, slack, io);
        tick(self.telemetry.as_mut(), Part::Telemetry, telemetry, slack, io);
    }

    fn finish(&mut self, io: &mut Io<'_>) {
        if let Some(policy) = &mut self.policy {
            io.effects.owner = Part::Policy.owner();
            policy.finish(io);
        }
        if let Some(rate_limit) = &mut self.rate_limit {
            io.effects.owner = Part::RateLimit.owner();
            rate_limit.finish(io);
        }
        if let Some(telemetry) = &mut self.telemetry {
            io.effects.owner = Part::Telemetry.owner();
            telemetry.finish(io);
        }
    }
}

/// A section that was there and could not be read fails the whole.
fn sound<F>(section: Option<Option<F>>) -> Option<Option<F>> {
    match section {
        None => Some(None),
        Some(part) => part.map(Some),
    }
}

/// Ticks a part if its own period has passed; a timer may fire a little early.
fn tick<F: Filter>(part: Option<&mut F>, which: Part, due: &mut u64, slack: Duration, io: &mut Io<'_>) {
    let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    if let Some(part) = part
        && let Some(period) = part.tick_period()
        && io.now.mono_nanos.saturating_add(nanos(slack)) >= *due
    {
        *due = io.now.mono_nanos.saturating_add(nanos(period));
        io.effects.owner = which.owner();
        part.tick(io);
    }
}

#[cfg(test)]
mod tests;
