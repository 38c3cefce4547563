//! Streams that wait for callouts.
//!
//! An answer comes to the core, which does not know the streams. So while a stream waits its state lies here, and it stays
//! until the stream's next callback takes it back. A stream that never waits pays nothing.

use weir_model::CallId;

/// How many streams of one configuration may wait in one VM.
const LIMIT: usize = 1024;
/// How many may wait for one callout. Its answer decides about all of them, and Envoy acts on each decision inside the one
/// before: some three hundred are more than the stack of V8 holds.
const LIMIT_OF_CALL: usize = 64;

/// The states of streams that wait, or that have been decided since.
#[derive(Debug)]
pub(crate) struct Waiting<S> {
    streams: Vec<Held<S>>,
    /// How many of them wait.
    waiting: usize,
}

#[derive(Debug)]
struct Held<S> {
    context: u32,
    /// `None` when the callout has ended and the stream is decided.
    call: Option<CallId>,
    state: S,
}

impl<S> Default for Waiting<S> {
    fn default() -> Self {
        Self { streams: Vec::new(), waiting: 0 }
    }
}

impl<S> Waiting<S> {
    /// Whether no further stream may wait for `call`.
    pub(crate) fn is_full(&self, call: CallId) -> bool {
        self.waiting >= LIMIT || self.streams.iter().filter(|held| held.call == Some(call)).count() >= LIMIT_OF_CALL
    }

    /// Keeps the state of a stream that waits for `call`, or of one that is decided.
    pub(crate) fn keep(&mut self, context: u32, call: Option<CallId>, state: S) {
        self.waiting += usize::from(call.is_some());
        self.streams.push(Held { context, call, state });
    }

    /// Whether a stream waits.
    pub(crate) fn waits(&self, context: u32) -> bool {
        self.streams.iter().any(|held| held.context == context && held.call.is_some())
    }

    /// The state of a stream that is kept here.
    pub(crate) fn state(&mut self, context: u32) -> Option<&mut S> {
        self.streams.iter_mut().find(|held| held.context == context).map(|held| &mut held.state)
    }

    /// Takes out the streams that wait for `call`, in the order in which they came.
    pub(crate) fn take_all(&mut self, call: CallId) -> Vec<(u32, S)> {
        let mut taken = Vec::new();
        for held in self.streams.extract_if(.., |held| held.call == Some(call)) {
            taken.push((held.context, held.state));
        }
        self.waiting -= taken.len();
        taken
    }

    /// Takes out one stream, and whether it still waited.
    pub(crate) fn take(&mut self, context: u32) -> Option<(S, bool)> {
        let Held { call, state, .. } = self.streams.extract_if(.., |held| held.context == context).next()?;
        self.waiting -= usize::from(call.is_some());
        Some((state, call.is_some()))
    }
}

#[cfg(test)]
mod tests;
