//! The one trait. It has no default bodies: a composition that forgets to forward a method does not compile.

use crate::{
    Answer, CallId, Callbacks, CelError, CelValue, Cells, Demand, Edits, Effects, Expression, Expressions, Facts, Node,
    Now, Phase, Problems, Resumption, Verdict, Warning,
};
use std::time::Duration;

/// What a core may reach besides its arguments: the time, the shared cells, and the effects it leaves.
pub struct Io<'a> {
    /// When the callback began.
    pub now: Now,
    /// State shared with the other workers.
    pub cells: &'a mut dyn Cells,
    /// What the shell does after the core returns, also if the stream has ended.
    pub effects: &'a mut Effects,
    /// What evaluates expressions; `None` outside of a stream's own callbacks.
    pub expressions: Option<&'a dyn Expressions>,
    /// What reads more of the stream; `None` where there is none, and where its demand has nothing [`Demand::late`].
    pub late: Option<&'a mut dyn Late>,
}

/// Reads what a demand leaves for later.
pub trait Late {
    /// The time by both clocks.
    fn now(&self) -> Now;

    /// The attributes that the demand of the phase names [`Demand::late`], and with `headers` all request headers. Nothing is
    /// remembered: each call reads again.
    fn read(&mut self, headers: bool) -> Facts<'_>;
}

impl<'a> Io<'a> {
    /// Without a stream to evaluate expressions about.
    pub fn new(now: Now, cells: &'a mut dyn Cells, effects: &'a mut Effects) -> Self {
        Self { now, cells, effects, expressions: None, late: None }
    }

    /// Evaluates an expression of the part that is called, by its number in [`Filter::expressions`].
    ///
    /// # Errors
    /// See [`CelError`].
    pub fn evaluate(&self, number: usize) -> Result<CelValue, CelError> {
        self.expressions.ok_or(CelError::NoStream)?.evaluate(self.effects.owner, number)
    }
}

/// A filter's core: compiled configuration plus what one VM remembers.
///
/// Order in a stream's life: `request`, then any number of `resume` (one per [`Verdict::Await`]), `response`, `end`.
/// Every later call may come without the earlier ones, and `end` may be the only one (then the phase is
/// [`Phase::EndUnseen`]). `response` also comes for the filter's own local reply. A stream that leaves while it waits has
/// `gone` in place of its `resume`. A call must be cheap if there is nothing to do, must not panic on any bytes, and must
/// not keep borrowed facts.
pub trait Filter: Sized + 'static {
    /// The callbacks that the filter needs besides request headers. What is not among them never happens.
    const CALLBACKS: Callbacks;

    /// What is remembered about one stream.
    type Stream: Default;

    /// Compiles a whole plugin configuration. The answer depends on the arguments only, so every VM agrees.
    ///
    /// # Errors
    /// All problems at once, each with its JSON path.
    fn compile(document: &[u8], node: &Node) -> Result<Self, Problems>;

    /// What the configuration asks for and this proxy cannot do as its author means, each with its JSON path. The shell logs
    /// them when the configuration is loaded.
    fn warnings(&self) -> &[Warning];

    /// What a phase reads. Constant for a compiled configuration, which may serve listeners of both directions.
    fn demand(&self, phase: Phase) -> &Demand;

    /// The expressions that [`Io::evaluate`] can be asked for. The host makes them when the configuration is loaded; one that
    /// it refuses is a problem of the configuration. None of them costs a stream anything unless it is asked for.
    fn expressions(&self) -> Vec<Expression>;

    /// How often [`Filter::tick`] is wanted now; `None` for not at all. It is asked again after every callback that counts.
    fn tick_period(&self) -> Option<Duration>;

    /// Decides on request headers.
    fn request(&mut self, stream: &mut Self::Stream, facts: &Facts<'_>, edits: &mut Edits, io: &mut Io<'_>) -> Verdict;

    /// Takes the answer to a callout, once for each [`Effects::call`], whether or not a stream waits for it or is left. The
    /// streams that wait are resumed after it.
    fn called(&mut self, id: CallId, answer: Answer<'_>, io: &mut Io<'_>);

    /// Decides about a stream that waited. Facts of the request phase are gone.
    fn resume(&mut self, stream: &mut Self::Stream, why: Resumption, edits: &mut Edits, io: &mut Io<'_>) -> Verdict;

    /// A stream has left while it waited: its client or upstream reset it, or Envoy itself answered it. It is not resumed.
    fn gone(&mut self, stream: &mut Self::Stream, io: &mut Io<'_>);

    /// Sees the response headers.
    fn response(&mut self, stream: &mut Self::Stream, facts: &Facts<'_>, edits: &mut Edits, io: &mut Io<'_>);

    /// Sees the end of the stream, when nothing about it can be changed. `phase` is [`Phase::End`] or
    /// [`Phase::EndUnseen`].
    fn end(&mut self, stream: &mut Self::Stream, phase: Phase, facts: &Facts<'_>, io: &mut Io<'_>);

    /// [`Filter::tick_period`] has passed. Called only in a VM that has seen a stream.
    fn tick(&mut self, io: &mut Io<'_>);

    /// The configuration has ended and its last stream is gone: what is held back can be let go. Called once, in a VM that
    /// has seen a stream. Callouts are sent, and their answers arrive, with the next configuration of the VM, if there is one;
    /// those that were in flight have ended with [`crate::CallFailure::Reset`] then. A module with [`Callbacks::finish`] has its
    /// own context until the last answer.
    fn finish(&mut self, io: &mut Io<'_>);
}
