//! The life of one HTTP stream, in whatever order the host tells it.
//!
//! A stream may be decided here, held for a callout, answered by somebody else before it came here (then only its end
//! is seen), reset at any moment, or outlived by its callout. Response callbacks also come for our own local reply.

use crate::abi::{self, Buffer, Map};
use crate::core::Core;
use crate::network;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use weir_model::{Answer, Callout, CalloutTarget, Filter, Headers, PairsBuilder, Phase, Reply, Verdict};

/// The largest answer of a callout that is read, in bytes.
const ANSWER_BYTES: usize = 1 << 20;
/// How many callouts in a row may fail to start before the request is refused.
const FAILED_STARTS: usize = 8;

/// What a stream remembers.
pub(crate) struct Stream<F: Filter> {
    context: u32,
    core: Option<Rc<RefCell<Core<F>>>>,
    state: F::Stream,
    /// Request headers came here.
    seen: bool,
    /// The request ended with its headers.
    bodyless: bool,
    /// The callout that the request is held for.
    awaited: Option<u32>,
    ended: bool,
}

impl<F: Filter> Stream<F> {
    pub(crate) fn new(context: u32, core: Option<Rc<RefCell<Core<F>>>>) -> Self {
        Self { context, core, state: F::Stream::default(), seen: false, bodyless: false, awaited: None, ended: false }
    }

    /// Runs `act` with the core. `None` where there is no configured core, which the host should have prevented.
    fn with_core<T>(&mut self, act: impl FnOnce(&mut Self, &mut Core<F>) -> T) -> Option<T> {
        let core = self.core.clone()?;
        let mut core = core.try_borrow_mut().ok()?;
        Some(act(self, &mut core))
    }

    /// Acts on a verdict and drains. Returns whether the request may go on now.
    fn settle(&mut self, core: &mut Core<F>, mut verdict: Verdict) -> bool {
        let mut failed_starts = 0;
        loop {
            match verdict {
                Verdict::Continue => {
                    core.drain();
                    return true;
                }
                Verdict::Reply(reply) => {
                    core.drain();
                    send(&reply);
                    return false;
                }
                Verdict::Await(callout) => match dispatch(&callout) {
                    Some(token) => {
                        self.awaited = Some(token);
                        core.drain();
                        return false;
                    }
                    None if failed_starts < FAILED_STARTS => {
                        failed_starts += 1;
                        verdict = core.answer(&mut self.state, Answer::Failed { grpc_status: 0 });
                    }
                    None => verdict = Verdict::Reply(Box::new(internal_error("weir_callout_failed"))),
                },
            }
        }
    }

    /// Takes the answer to the callout `token`, if that is the one awaited; late ones are nobody's.
    fn take_answer(&mut self, token: u32, answer: Answer<'_>) {
        if self.awaited != Some(token) {
            return;
        }
        self.awaited = None;
        let goes_on = self.with_core(|stream, core| {
            let verdict = core.answer(&mut stream.state, answer);
            stream.settle(core, verdict)
        });
        match goes_on {
            Some(true) => {
                if abi::continue_request().is_err() {
                    abi::log(3, "weir: the host would not continue a request");
                }
            }
            Some(false) => {}
            None => send(&internal_error("weir_not_configured")),
        }
    }
}

impl<F: Filter> Drop for Stream<F> {
    fn drop(&mut self) {
        network::forget(self.context);
    }
}

impl<F: Filter> Context for Stream<F> {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, _: usize) {
        if headers == 0 {
            return self.take_answer(token, Answer::Failed { grpc_status: 0 });
        }
        let map = abi::header_map(Map::CalloutHeaders).unwrap_or_default();
        let body = abi::buffer(Buffer::CalloutBody, body.min(ANSWER_BYTES)).unwrap_or_default();
        self.take_answer(token, Answer::Http { headers: Headers::new(&map), body: &body });
    }

    fn on_grpc_call_response(&mut self, token: u32, status: u32, size: usize) {
        if status != 0 {
            return self.take_answer(token, Answer::Failed { grpc_status: status });
        }
        match abi::buffer(Buffer::GrpcMessage, size.min(ANSWER_BYTES)) {
            Ok(message) => self.take_answer(token, Answer::Grpc { message: &message }),
            Err(_) => self.take_answer(token, Answer::Failed { grpc_status: 0 }),
        }
    }
}

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
        self.awaited = None;
        let phase = if self.seen { Phase::End } else { Phase::EndUnseen };
        self.with_core(|stream, core| {
            core.start();
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

fn send(reply: &Reply) {
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

/// Starts a callout through the SDK, which must know its token to route the answer. `None` where it did not start; then
/// no answer will come either. Header values that are no UTF-8 cannot be sent this way.
fn dispatch(callout: &Callout) -> Option<u32> {
    let Callout { target, headers, body, timeout_millis } = callout;
    let timeout = Duration::from_millis(u64::from((*timeout_millis).clamp(1, i32::MAX.unsigned_abs())));
    match target {
        CalloutTarget::Http { cluster } => {
            let headers: Option<Vec<(&str, &str)>> = headers
                .iter()
                .map(|(name, value)| Some((std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?)))
                .collect();
            hostcalls::dispatch_http_call(cluster, headers?, Some(body.as_slice()), Vec::new(), timeout).ok()
        }
        CalloutTarget::Grpc { service, service_name, method } => {
            let service = std::str::from_utf8(service).ok()?;
            let headers: Option<Vec<(&str, &[u8])>> =
                headers.iter().map(|(name, value)| Some((std::str::from_utf8(name).ok()?, value.as_slice()))).collect();
            hostcalls::dispatch_grpc_call(service, service_name, method, headers?, Some(body.as_slice()), timeout).ok()
        }
    }
}
