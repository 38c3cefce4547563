//! The life of one HTTP stream, in whatever order the host tells it.
//!
//! A stream may be decided here, held for a callout, answered by another filter before it came here (then only its end
//! is seen), reset at any moment, or outlived by its callout. Response callbacks also come for our own local reply.

use crate::abi;
use crate::core::{Core, Settled};
use crate::network;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::cell::RefCell;
use std::rc::Rc;
use weir_model::{Filter, PairsBuilder, Phase, Reply, Verdict};

/// What a stream remembers.
pub(crate) struct Stream<F: Filter> {
    context: u32,
    core: Option<Rc<RefCell<Core<F>>>>,
    state: F::Stream,
    /// Request headers came here.
    seen: bool,
    /// The request ended with its headers.
    bodyless: bool,
    /// The core keeps the state, because the request waits or has waited.
    held: bool,
    ended: bool,
}

impl<F: Filter> Stream<F> {
    pub(crate) fn new(context: u32, core: Option<Rc<RefCell<Core<F>>>>) -> Self {
        Self { context, core, state: F::Stream::default(), seen: false, bodyless: false, held: false, ended: false }
    }

    /// Runs `act` with the core. `None` where there is no configured core, which the host should have prevented.
    fn with_core<T>(&mut self, act: impl FnOnce(&mut Self, &mut Core<F>) -> T) -> Option<T> {
        let core = self.core.clone()?;
        let mut core = core.try_borrow_mut().ok()?;
        Some(act(self, &mut core))
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
    fn take_back(&mut self, core: &mut Core<F>) {
        if Core::<F>::CALLS && std::mem::take(&mut self.held) {
            self.state = core.take_back(self.context).unwrap_or_default();
        }
    }
}

impl<F: Filter> Drop for Stream<F> {
    fn drop(&mut self) {
        network::forget(self.context);
        if Core::<F>::CALLS && self.held {
            self.with_core(|stream, core| stream.take_back(core));
        }
    }
}

impl<F: Filter> Context for Stream<F> {}

impl<F: Filter> HttpContext for Stream<F> {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
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
        match goes_on {
            Some(true) => Action::Continue,
            Some(false) => Action::Pause,
            None => {
                send(&internal_error("weir_not_configured"));
                Action::Pause
            }
        }
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        self.with_core(|stream, core| {
            // Where a request still waits, this is an answer of Envoy's own, such as 408.
            stream.take_back(core);
            if !core.idle(Phase::Response) {
                core.response(&mut stream.state);
                core.drain();
            }
        });
        Action::Continue
    }

    fn on_log(&mut self) {
        // The end of a connection is not a stream's.
        if self.ended || network::forget(self.context) {
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

/// A refusal where no decision could be had: closed, because a policy that is not asked must not be an open door.
fn internal_error(details: &str) -> Reply {
    Reply { status: 500, details: details.to_owned(), ..Reply::default() }
}

pub(crate) fn send(reply: &Reply) {
    let Reply { status, details, body, headers, grpc_status } = reply;
    let mut pairs = PairsBuilder::default();
    for (name, value) in headers {
        pairs.push(name, value);
    }
    let headers = if headers.is_empty() { Vec::new() } else { pairs.finish() };
    let grpc_status = grpc_status.and_then(|status| i32::try_from(status).ok()).unwrap_or(-1);
    if abi::local_reply(u32::from(*status), details, body, &headers, grpc_status).is_err() {
        abi::log(4, "weir: the host would not send a local reply");
    }
}
