//! Callouts: sending them, and finding who asked when the answer comes.
//!
//! Envoy runs every callout on the root context and names it by a token. This file keeps the tokens in flight, each with
//! the core that sent it, also after the stream that caused it has ended. A core whose root context is gone may go on
//! sending on another one, which lends itself; then the token keeps the core. The callbacks of answers are exported here
//! in place of the SDK's, which panic on tokens they do not know and drop the answer of a stream that is gone. A token
//! that is not in flight is left alone: Envoy closes a gRPC call that failed inside the hostcall with a token that the
//! module never saw.

use crate::abi::{self, Buffer, Map, Status};
use crate::header::{PAIRS, PAIRS_BYTES, is_value};
use std::cell::RefCell;
use std::rc::{Rc, Weak};
use weir_model::{
    ANSWER_LIMIT, Answer, CallFailure, CallId, Callout, GrpcCallout, GrpcTarget, Headers, HttpCallout, PairsBuilder,
    is_header_name,
};

/// What takes the answers of callouts: a core.
pub(crate) trait Caller {
    /// Takes the answer of a callout. `root` is the root context that the host calls.
    fn answered(&self, root: u32, id: CallId, answer: Answer<'_>);

    /// The root context that was lent is gone, and with it what was in flight. `lender` is another one, and in effect.
    fn goes_on(&self, lender: u32);
}

/// The host's name of a callout. Only Envoy promises that HTTP and gRPC share their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Http(u32),
    Grpc(u32),
}

struct InFlight {
    token: Token,
    id: CallId,
    caller: Weak<dyn Caller>,
    /// The root context on which it runs.
    root: u32,
    /// The caller, where that root context is not its own.
    kept: Option<Rc<dyn Caller>>,
}

thread_local! {
    /// Bounded by what every core may have in flight.
    static IN_FLIGHT: RefCell<Vec<InFlight>> = const { RefCell::new(Vec::new()) };
}

/// Notes that `caller` waits for the answer with this token, on that root context. It is kept until then if the context is
/// lent.
pub(crate) fn register(token: Token, id: CallId, caller: Weak<dyn Caller>, (root, is_lent): (u32, bool)) {
    let kept = caller.upgrade().filter(|_| is_lent);
    IN_FLIGHT.with(|calls| {
        if let Ok(mut calls) = calls.try_borrow_mut() {
            calls.push(InFlight { token, id, caller, root, kept });
        }
    });
}

/// Forgets the callouts of a root context that is gone. Returns the callers to whom it was lent.
pub(crate) fn forget_root(root: u32) -> Vec<Rc<dyn Caller>> {
    let mut kept: Vec<Rc<dyn Caller>> = Vec::new();
    IN_FLIGHT.with(|calls| {
        if let Ok(mut calls) = calls.try_borrow_mut() {
            for caller in calls.extract_if(.., |call| call.root == root).filter_map(|call| call.kept) {
                if !kept.iter().any(|known| Rc::ptr_eq(known, &caller)) {
                    kept.push(caller);
                }
            }
        }
    });
    kept
}

/// How many callouts run on root contexts that are lent.
pub(crate) fn lent() -> usize {
    IN_FLIGHT
        .with(|calls| calls.try_borrow().map_or(0, |calls| calls.iter().filter(|call| call.kept.is_some()).count()))
}

/// Forgets the callouts of callers that are gone: the host cancels them with their root context.
pub(crate) fn forget_dead() {
    IN_FLIGHT.with(|calls| {
        if let Ok(mut calls) = calls.try_borrow_mut() {
            calls.retain(|call| call.caller.strong_count() > 0);
        }
    });
}

/// Ends a token. `None` if it is not in flight or its caller is gone.
fn take(token: Token) -> Option<(CallId, Rc<dyn Caller>)> {
    IN_FLIGHT.with(|calls| {
        let mut calls = calls.try_borrow_mut().ok()?;
        let at = calls.iter().position(|call| call.token == token)?;
        let InFlight { id, caller, kept, .. } = calls.swap_remove(at);
        Some((id, kept.or_else(|| caller.upgrade())?))
    })
}

/// Ends a callout of `caller` if the host can, which then gives no answer. Returns whether it did.
pub(crate) fn cancel(id: CallId, caller: &Weak<dyn Caller>) -> bool {
    let is_it = |call: &InFlight| call.id == id && call.caller.ptr_eq(caller);
    IN_FLIGHT.with(|calls| {
        let Ok(mut calls) = calls.try_borrow_mut() else { return false };
        let Some(at) = calls.iter().position(is_it) else { return false };
        let Some(InFlight { token: Token::Grpc(token), .. }) = calls.get(at) else { return false };
        let has_ended = abi::grpc_cancel(*token).is_ok();
        if has_ended {
            calls.swap_remove(at);
        }
        has_ended
    })
}

/// Sends a callout.
///
/// # Errors
/// Why it was not sent; then the host gives no answer.
pub(crate) fn send(callout: &Callout) -> Result<Token, CallFailure> {
    match callout {
        Callout::Http(HttpCallout { cluster, headers, body, timeout_millis }) => {
            let named = [":method", ":path", ":authority"];
            let is_whole = named.iter().all(|name| headers.iter().any(|(given, _)| given == name.as_bytes()));
            let headers = pairs(headers).filter(|_| is_whole).ok_or(CallFailure::NotSent)?;
            let sent = abi::http_call(cluster, &headers, body, timeout(*timeout_millis));
            sent.map(Token::Http).map_err(|status| match status {
                Status::BAD_ARGUMENT => CallFailure::NoCluster,
                status => not_sent(status),
            })
        }
        Callout::Grpc(GrpcCallout { target, service, method, message }) => {
            let GrpcTarget { cluster, authority, initial_metadata, timeout_millis } = target;
            let named = is_path_part(service) && is_path_part(method) && !cluster.is_empty();
            if !named || !is_value(cluster.as_bytes()) || !is_value(authority.as_bytes()) {
                return Err(CallFailure::NotSent);
            }
            let target = weir_proto::encode_grpc_service(cluster, authority);
            let metadata = pairs(initial_metadata).ok_or(CallFailure::NotSent)?;
            let sent = abi::grpc_call(&target, service, method, &metadata, message, timeout(*timeout_millis));
            sent.map(Token::Grpc).map_err(not_sent)
        }
    }
}

/// What a status other than `Ok` says of a callout that is otherwise sound: whether it ended inside of the hostcall.
fn not_sent(status: Status) -> CallFailure {
    if status == Status::INTERNAL_FAILURE { CallFailure::NoHost } else { CallFailure::NotSent }
}

/// Envoy reads a timeout as a signed number and 0 as none.
fn timeout(millis: u32) -> u32 {
    millis.clamp(1, i32::MAX.unsigned_abs())
}

/// A header map in the pairs encoding; `None` where Envoy would read another one or could not send it.
fn pairs(headers: &[(Vec<u8>, Vec<u8>)]) -> Option<Vec<u8>> {
    if headers.len() > PAIRS || !headers.iter().all(|(name, value)| is_header_name(name) && is_value(value)) {
        return None;
    }
    let mut pairs = PairsBuilder::default();
    for (name, value) in headers {
        pairs.push(name, value);
    }
    let pairs = if headers.is_empty() { Vec::new() } else { pairs.finish() };
    (pairs.len() <= PAIRS_BYTES).then_some(pairs)
}

/// Whether the text may stand between the slashes of a gRPC path.
fn is_path_part(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/')
}

/// The link step exports it as `proxy_on_http_call_response`. No headers mean a reset.
#[unsafe(no_mangle)]
pub extern "C" fn weir_on_http_call_response(root: u32, token: u32, headers: usize, body: usize, _trailers: usize) {
    let Some((id, caller)) = take(Token::Http(token)) else { return };
    if headers == 0 {
        return caller.answered(root, id, Answer::Failed(CallFailure::Reset));
    }
    let is_read = (1..=ANSWER_LIMIT).contains(&body);
    let parts = abi::header_map(Map::CalloutHeaders).and_then(|headers| {
        Ok((headers, if is_read { abi::buffer(Buffer::CalloutBody, body)? } else { Box::default() }))
    });
    let answer = match &parts {
        Err(_) => Answer::Failed(CallFailure::Unreadable),
        Ok((headers, _)) if body > ANSWER_LIMIT => Answer::TooLarge { bytes: body, headers: Headers::new(headers) },
        Ok((headers, body)) => Answer::Http { headers: Headers::new(headers), body },
    };
    caller.answered(root, id, answer);
}

/// The link step exports it as `proxy_on_grpc_receive`. For a unary call it is the end.
#[unsafe(no_mangle)]
pub extern "C" fn weir_on_grpc_receive(root: u32, token: u32, size: usize) {
    let Some((id, caller)) = take(Token::Grpc(token)) else { return };
    if size > ANSWER_LIMIT {
        return caller.answered(root, id, Answer::TooLarge { bytes: size, headers: Headers::default() });
    }
    let message = if size > 0 { abi::buffer(Buffer::GrpcMessage, size) } else { Ok(Box::default()) };
    match message {
        Ok(message) => caller.answered(root, id, Answer::Grpc { message: &message }),
        Err(_) => caller.answered(root, id, Answer::Failed(CallFailure::Unreadable)),
    }
}

/// The link step exports it as `proxy_on_grpc_close`. A unary call is closed only if no message came.
#[unsafe(no_mangle)]
pub extern "C" fn weir_on_grpc_close(root: u32, token: u32, status: u32) {
    if let Some((id, caller)) = take(Token::Grpc(token)) {
        caller.answered(root, id, Answer::Failed(CallFailure::Status(status)));
    }
}

#[cfg(test)]
mod tests;
