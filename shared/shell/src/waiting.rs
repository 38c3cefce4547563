//! Streams that wait for callouts.
//!
//! An answer comes to the core, which does not know the streams. So while a stream waits its state lies here, and it stays
//! until the stream's next callback takes it back. A stream that never waits pays nothing.

use weir_model::{CallId, SortedMap};

/// How many streams of one configuration may wait in one VM.
const LIMIT: usize = 1024;
/// How many may wait for one callout. Its answer decides about all of them, and Envoy acts on each decision inside the one
/// before: some three hundred are more than the stack of V8 holds.
const LIMIT_OF_CALL: usize = 64;

/// The states of streams that wait, or that have been decided since.
#[derive(Debug)]
pub(crate) struct Waiting<S> {
    streams: Vec<Held<S>>,
    /// Of those that are decided, by context: their next callback may be long in coming, so there can be many.
    decided: SortedMap<u32, S>,
}

#[derive(Debug)]
struct Held<S> {
    context: u32,
    call: CallId,
    state: S,
}

impl<S> Default for Waiting<S> {
    fn default() -> Self {
        Self { streams: Vec::new(), decided: SortedMap::new() }
    }
}

impl<S> Waiting<S> {
    /// Whether no further stream may wait for `call`.
    pub(crate) fn is_full(&self, call: CallId) -> bool {
        self.streams.len() >= LIMIT || self.streams.iter().filter(|held| held.call == call).count() >= LIMIT_OF_CALL
    }

    /// Keeps the state of a stream that waits for `call`, or of one that is decided.
    pub(crate) fn keep(&mut self, context: u32, call: Option<CallId>, state: S) {
        match call {
            Some(call) => self.streams.push(Held { context, call, state }),
            None => {
                self.decided.insert(context, state);
            }
        }
    }

    /// Whether a stream waits.
    pub(crate) fn waits(&self, context: u32) -> bool {
        self.streams.iter().any(|held| held.context == context)
    }

    /// The state of a stream that is kept here.
    pub(crate) fn state(&mut self, context: u32) -> Option<&mut S> {
        let held = self.streams.iter_mut().find(|held| held.context == context).map(|held| &mut held.state);
        held.or_else(|| self.decided.get_mut(&context))
    }

    /// Takes out the streams that wait for `call`, in the order in which they came.
    pub(crate) fn take_all(&mut self, call: CallId) -> Vec<(u32, S)> {
        self.streams.extract_if(.., |held| held.call == call).map(|held| (held.context, held.state)).collect()
    }

    /// Takes out one stream, and whether it still waited.
    pub(crate) fn take(&mut self, context: u32) -> Option<(S, bool)> {
        if let Some(state) = self.decided.remove(&context) {
            return Some((state, false));
        }
        let held = self.streams.extract_if(.., |held| held.context == context).next()?;
        Some((held.state, true))
    }
}

#[cfg(test)]
mod tests;
