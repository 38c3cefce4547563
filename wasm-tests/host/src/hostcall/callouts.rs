//! HTTP and gRPC callouts. They belong to the root context; the world says at once what will come of them.

use crate::callout::{GrpcCall, GrpcPlan, HttpCall, HttpPlan};
use crate::context::Answer;
use crate::guest::{Guest, read, write_word};
use crate::headers::HeaderMap;
use crate::pairs;
use crate::process::{Event, GrpcStep, Site, lock};
use crate::state::Pending;
use crate::status::{Fault, Outcome, Status};
use prost::Message as _;
use std::time::Duration;
use weir_proto::GrpcServiceMessage;

/// The low two bits of a token.
const HTTP: u32 = 0;
const GRPC_CALL: u32 = 1;
const GRPC_STREAM: u32 = 2;

/// What a gRPC callout is told after its timeout, with 14: the router answers 504, which stands for unavailable.
const LATE: &str = "upstream request timeout{response_timeout}";

fn token(site: &Site, kind: u32) -> u32 {
    site.last_token.set(site.last_token.get().wrapping_add(4).max(4));
    site.last_token.get() | kind
}

/// `None` for no timeout; from 2^31 the number is negative to Envoy.
fn timeout(milliseconds: u32) -> Result<Option<Duration>, Status> {
    i32::try_from(milliseconds).map_err(|_| Status::BadArgument)?;
    Ok((milliseconds > 0).then(|| Duration::from_millis(u64::from(milliseconds))))
}

#[expect(clippy::too_many_arguments, reason = "the ABI's own list")]
pub(crate) fn http(
    guest: Guest<'_, '_>,
    uri: u32,
    uri_n: u32,
    headers: u32,
    headers_n: u32,
    body: u32,
    body_n: u32,
    trailers: u32,
    trailers_n: u32,
    milliseconds: u32,
    token_at: u32,
) -> Outcome {
    let cluster = read(guest, uri, uri_n)?;
    let headers = HeaderMap::new(pairs::read(&read(guest, headers, headers_n)?));
    let body = read(guest, body, body_n)?;
    let trailers = HeaderMap::new(pairs::read(&read(guest, trailers, trailers_n)?));
    write_word(guest, token_at, 0)?;
    let limit = timeout(milliseconds)?;
    let mut call = HttpCall { cluster, headers, body, trailers };
    let complete = [":method", ":path", ":authority"].iter().all(|name| call.headers.get(name.as_bytes()).is_some());
    if complete && !call.body.is_empty() {
        call.headers.replace(b"content-length", call.body.len().to_string().as_bytes());
    }
    let state = guest.data_mut();
    let plan = lock(&state.site.process.world).http(&call);
    if matches!(plan, HttpPlan::UnknownCluster) || !complete {
        return Err(Status::BadArgument.into());
    }
    let token = token(&state.site, HTTP);
    let (vm, root) = (state.vm, state.root_of(state.acting()));
    let (after, answer) = match plan {
        HttpPlan::UnknownCluster => return Err(Status::BadArgument.into()),
        HttpPlan::Inline => return Err(Status::InternalFailure.into()),
        HttpPlan::Answer { after, headers, body, trailers } => (Some(after), Some(Answer { headers, body, trailers })),
        HttpPlan::Reset { after } => (Some(after), None),
        HttpPlan::Never => (None, None),
    };
    match (after, limit) {
        (Some(after), None) => state.site.plan(after, Event::Http { vm, token, answer }),
        (Some(after), Some(limit)) if after < limit => state.site.plan(after, Event::Http { vm, token, answer }),
        (_, Some(limit)) => state.site.plan(limit, Event::Http { vm, token, answer: Some(late()) }),
        (None, None) => {}
    }
    state.http_calls.insert(token, Pending { root, stream: false });
    Ok(write_word(guest, token_at, token)?)
}

/// What Envoy's router answers after the timeout.
fn late() -> Answer {
    let body = b"upstream request timeout".to_vec();
    let headers = [(":status", "504"), ("content-length", "24"), ("content-type", "text/plain")];
    Answer { headers: HeaderMap::new(headers), body, trailers: HeaderMap::default() }
}

#[expect(clippy::too_many_arguments, reason = "the ABI's own list")]
pub(crate) fn grpc(
    guest: Guest<'_, '_>,
    service: u32,
    service_n: u32,
    name: u32,
    name_n: u32,
    method: u32,
    method_n: u32,
    metadata: u32,
    metadata_n: u32,
    message: u32,
    message_n: u32,
    milliseconds: u32,
    token_at: u32,
) -> Outcome {
    let cluster = target(read(guest, service, service_n)?);
    let (service, method) = (read(guest, name, name_n)?, read(guest, method, method_n)?);
    let metadata = HeaderMap::new(pairs::read(&read(guest, metadata, metadata_n)?));
    let message = read(guest, message, message_n)?;
    let limit = timeout(milliseconds)?;
    let call = GrpcCall { cluster, service, method, metadata, message, stream: false };
    start(guest, &call, limit, token_at)
}

#[expect(clippy::too_many_arguments, reason = "the ABI's own list")]
pub(crate) fn grpc_stream(
    guest: Guest<'_, '_>,
    service: u32,
    service_n: u32,
    name: u32,
    name_n: u32,
    method: u32,
    method_n: u32,
    metadata: u32,
    metadata_n: u32,
    token_at: u32,
) -> Outcome {
    let cluster = read(guest, service, service_n)?;
    let (service, method) = (read(guest, name, name_n)?, read(guest, method, method_n)?);
    let metadata = HeaderMap::new(pairs::read(&read(guest, metadata, metadata_n)?));
    let call = GrpcCall { cluster, service, method, metadata, message: Vec::new(), stream: true };
    start(guest, &call, None, token_at)
}

/// The cluster of a serialised `GrpcService` with `envoy_grpc`, or what is no such message: a cluster name.
fn target(bytes: Vec<u8>) -> Vec<u8> {
    let service = GrpcServiceMessage::decode(bytes.as_slice()).ok().and_then(|service| service.envoy_grpc);
    service.map_or(bytes, |target| target.cluster_name.into_bytes())
}

fn start(guest: Guest<'_, '_>, call: &GrpcCall, limit: Option<Duration>, token_at: u32) -> Outcome {
    let state = guest.data_mut();
    if call.cluster.is_empty() {
        // An empty `GrpcService`, whose target nobody set.
        return Err(Fault::Trap(wasmtime::format_err!("Envoy aborts on a gRPC callout to no service")));
    }
    let plan = lock(&state.site.process.world).grpc(call);
    if matches!(plan, GrpcPlan::UnknownCluster) {
        return Err(Status::ParseFailure.into());
    }
    let token = token(&state.site, if call.stream { GRPC_STREAM } else { GRPC_CALL });
    let (vm, root) = (state.vm, state.root_of(state.acting()));
    let plan_step = |after, step| state.site.plan(after, Event::Grpc { vm, token, step });
    match plan {
        GrpcPlan::UnknownCluster => return Err(Status::ParseFailure.into()),
        GrpcPlan::Inline { status } => {
            plan_step(Duration::ZERO, GrpcStep::Close(status, String::new()));
            state.grpc_calls.insert(token, Pending { root, stream: call.stream });
            return Err(Status::InternalFailure.into());
        }
        GrpcPlan::Answer { after, .. } if limit.is_some_and(|limit| after >= limit) => {
            plan_step(limit.unwrap_or_default(), GrpcStep::Close(14, LATE.to_owned()));
        }
        GrpcPlan::Never => {
            if let Some(limit) = limit {
                plan_step(limit, GrpcStep::Close(14, LATE.to_owned()));
            }
        }
        GrpcPlan::Answer { after, initial, messages, trailing, status, message } => {
            let map = |headers| Answer { headers, ..Answer::default() };
            if call.stream {
                plan_step(after, GrpcStep::Initial(map(initial)));
                for message in messages {
                    plan_step(after, GrpcStep::Message(message));
                }
                plan_step(after, GrpcStep::Trailing(map(trailing)));
                plan_step(after, GrpcStep::Close(status, message));
            } else {
                match messages.into_iter().next() {
                    Some(answer) if status == 0 => plan_step(after, GrpcStep::Message(answer)),
                    _ => plan_step(after, GrpcStep::Close(status, message)),
                }
            }
        }
    }
    state.grpc_calls.insert(token, Pending { root, stream: call.stream });
    Ok(write_word(guest, token_at, token)?)
}

/// A unary token is `BadArgument`, one that is gone `NotFound`.
pub(crate) fn grpc_send(guest: Guest<'_, '_>, token: u32, message: u32, size: u32, _end: u32) -> Outcome {
    read(guest, message, size)?;
    stream_token(guest, token)
}

fn stream_token(guest: Guest<'_, '_>, token: u32) -> Outcome {
    if token & 3 != GRPC_STREAM {
        return Err(Status::BadArgument.into());
    }
    if guest.data().grpc_calls.contains_key(&token) { Ok(()) } else { Err(Status::NotFound.into()) }
}

/// Ends a call or stream at once, without a callback.
pub(crate) fn grpc_cancel(guest: Guest<'_, '_>, token: u32) -> Outcome {
    match token & 3 {
        GRPC_CALL | GRPC_STREAM => guest.data_mut().grpc_calls.remove(&token).map(drop).ok_or(Status::NotFound.into()),
        _ => Err(Status::BadArgument.into()),
    }
}

/// Ends a call, or this side of a stream: a stream is still told of its remote end.
pub(crate) fn grpc_close(guest: Guest<'_, '_>, token: u32) -> Outcome {
    match token & 3 {
        GRPC_CALL => grpc_cancel(guest, token),
        _ => stream_token(guest, token),
    }
}
