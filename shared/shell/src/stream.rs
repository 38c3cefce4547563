//! The life of one HTTP stream, with its callbacks in any order.
//!
//! A stream may be decided here, held for a callout, answered by another filter before it came here (then only its end
//! is seen), reset at any moment, or outlived by its callout. Response callbacks also come for our own local reply.

use crate::core::{Core, Settled};
use crate::reply::{internal_error, refuse_undecided, send};
use std::cell::RefCell;
use std::rc::Rc;
use weir_model::{Filter, Phase, Verdict};

/// What a stream remembers.
pub(crate) struct Stream<F: Filter> {
    pub(crate) context: u32,
    core: Option<Rc<RefCell<Core<F>>>>,
    pub(crate) state: F::Stream,
    /// Request headers came here, or the connection did.
    pub(crate) seen: bool,
    /// The request ended with its headers.
    bodyless: bool,
    /// The context of a connection.
    connection: bool,
    /// The core keeps the state, because the stream waits or has waited.
    pub(crate) held: bool,
    ended: bool,
}

impl<F: Filter> Stream<F> {
    pub(crate) fn new(context: u32, core: Option<Rc<RefCell<Core<F>>>>) -> Self {
        Self {
            context,
            core,
            state: F::Stream::default(),
            seen: false,
            bodyless: false,
            connection: false,
            held: false,
            ended: false,
        }
    }

    /// Runs `act` with the core. `None` where there is no configured core, which the host should have prevented.
    pub(crate) fn with_core<T>(&mut self, act: impl FnOnce(&mut Self, &mut Core<F>) -> T) -> Option<T> {
        let core = self.core.take()?;
        let done = core.try_borrow_mut().ok().map(|mut core| act(self, &mut core));
        self.core = Some(core);
        done
    }

    /// Acts on a verdict. Returns whether the request goes on now.
    fn settle(&mut self, core: &mut Core<F>, verdict: Verdict) -> bool {
        match core.settle(&mut self.state, verdict) {
            Settled::GoesOn => true,
            Settled::Replied(reply) => {
                send(&reply);
                false
            }
            Settled::Waits(call) => {
                self.held = true;
                core.hold(self.context, call, std::mem::take(&mut self.state));
                false
            }
        }
    }

    /// Takes the state back from the core. A stream that still waits leaves.
    pub(crate) fn take_back(&mut self, core: &mut Core<F>) {
        if Core::<F>::CALLS && std::mem::take(&mut self.held) {
            self.state = core.take_back(self.context).unwrap_or_default();
        }
    }
}

impl<F: Filter> Stream<F> {
    /// The host says that this is a connection: its end is not a stream's.
    pub(crate) fn is_connection(&mut self) {
        self.connection = true;
    }

    /// Returns whether the request goes on now.
    pub(crate) fn request_headers(&mut self, end_of_stream: bool) -> bool {
        self.seen = true;
        self.bodyless = end_of_stream;
        let goes_on = self.with_core(|stream, core| {
            core.start();
            if core.idle(Phase::Request) {
                return true;
            }
            let verdict = core.request(&mut stream.state, !stream.bodyless);
            let verdict =
                verdict.unwrap_or_else(|_| Verdict::Reply(Box::new(internal_error("weir_headers_unavailable"))));
            stream.settle(core, verdict)
        });
        goes_on.unwrap_or_else(|| {
            refuse_undecided();
            false
        })
    }

    pub(crate) fn response_headers(&mut self) {
        self.with_core(|stream, core| {
            // Where a request still waits, this is an answer of Envoy's own, such as 408.
            stream.take_back(core);
            if !core.idle(Phase::Response) {
                core.response(&mut stream.state);
                core.drain();
            }
        });
    }

    /// The end of a stream, when nothing about it can be changed.
    pub(crate) fn log(&mut self) {
        if self.ended || self.connection {
            return;
        }
        self.ended = true;
        let phase = if self.seen { Phase::End } else { Phase::EndUnseen };
        self.with_core(|stream, core| {
            core.start();
            stream.take_back(core);
            if !core.idle(phase) {
                core.end(&mut stream.state, phase, !stream.bodyless);
                core.drain();
            }
        });
    }
}

impl<F: Filter> Drop for Stream<F> {
    fn drop(&mut self) {
        if Core::<F>::CALLS && self.held {
            self.with_core(|stream, core| stream.take_back(core));
        }
    }
}
