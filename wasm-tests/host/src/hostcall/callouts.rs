//! HTTP and gRPC callouts. They belong to the root context; the world says at once what will come of them.

use crate::abi::pairs;
use crate::abi::status::{Fault, Outcome, Status};
use crate::hostcall::grpc_target::GrpcTarget;
use crate::hostcall::guest::{Guest, read, write_word};
use crate::http::codec::unencodable;
use crate::http::headers::HeaderMap;
use crate::http::upstream;
use crate::process::callout::{GrpcCall, GrpcPlan, HttpCall, HttpPlan};
use crate::process::event::Answer;
use crate::process::event::{Event, GrpcStep};
use crate::process::{Site, lock};
use crate::vm::state::Pending;
use std::time::Duration;

/// The low two bits of a token.
const HTTP: u32 = 0;
const GRPC_CALL: u32 = 1;
const GRPC_STREAM: u32 = 2;

/// What a gRPC callout gets after its timeout, with 14: the router answers 504, which stands for unavailable.
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
    let now = |answer| (Some(Duration::ZERO), Some(answer));
    let (after, answer) = match plan {
        HttpPlan::UnknownCluster => return Err(Status::BadArgument.into()),
        HttpPlan::Inline => return Err(Status::InternalFailure.into()),
        HttpPlan::Unreachable => now(Answer::unavailable(&call.headers, &upstream::failure(upstream::REFUSED))),
        plan => match (state.site.connect(&call.cluster), unencodable(&call.headers)) {
            (true, Some(_)) => return Err(Status::InternalFailure.into()),
            (false, Some(why)) => now(Answer::unavailable(&call.headers, &why)),
            (_, None) => planned(plan),
        },
    };
    let late = || Answer::of_router(&call.headers, 504, "upstream request timeout");
    match (after, limit) {
        (Some(after), None) => state.site.plan(after, Event::Http { vm, token, answer }),
        (Some(after), Some(limit)) if after < limit => state.site.plan(after, Event::Http { vm, token, answer }),
        (_, Some(limit)) => state.site.plan(limit, Event::Http { vm, token, answer: Some(late()) }),
        (None, None) => {}
    }
    state.http_calls.insert(token, Pending { root, stream: false });
    Ok(write_word(guest, token_at, token)?)
}

/// When a callout that was sent ends, and with which event; a reset if there is no other.
fn planned(plan: HttpPlan) -> (Option<Duration>, Option<Answer>) {
    match plan {
        HttpPlan::Answer { after, headers, body, trailers } => (Some(after), Some(Answer { headers, body, trailers })),
        HttpPlan::Reset { after } => (Some(after), None),
        HttpPlan::Never | HttpPlan::UnknownCluster | HttpPlan::Inline | HttpPlan::Unreachable => (None, None),
    }
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
    let target = read(guest, service, service_n)?;
    let (service, method) = (read(guest, name, name_n)?, read(guest, method, method_n)?);
    let metadata = HeaderMap::new(pairs::read(&read(guest, metadata, metadata_n)?));
    let message = read(guest, message, message_n)?;
    let limit = timeout(milliseconds)?;
    let call = GrpcCall { cluster: Vec::new(), authority: None, service, method, metadata, message, stream: false };
    start(guest, &target, call, limit, token_at)
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
    let target = read(guest, service, service_n)?;
    let (service, method) = (read(guest, name, name_n)?, read(guest, method, method_n)?);
    let metadata = HeaderMap::new(pairs::read(&read(guest, metadata, metadata_n)?));
    let message = Vec::new();
    let call = GrpcCall { cluster: Vec::new(), authority: None, service, method, metadata, message, stream: true };
    start(guest, &target, call, None, token_at)
}

/// How a gRPC callout ends before it reaches a service.
struct Refused {
    /// Inside the hostcall, which is then `InternalFailure`; the module still gets its callback.
    inline: bool,
    status: u32,
    message: String,
}

fn start(guest: Guest<'_, '_>, target: &[u8], mut call: GrpcCall, limit: Option<Duration>, token_at: u32) -> Outcome {
    let state = guest.data_mut();
    let kind = GrpcTarget::read(target);
    match &kind {
        GrpcTarget::Nothing => return Err(Fault::Crash("a module calls a GrpcService without a target")),
        GrpcTarget::Name => call.cluster = target.to_vec(),
        GrpcTarget::Envoy { cluster, authority, metadata } => {
            (call.cluster, call.authority) = (cluster.clone(), authority.clone());
            metadata.iter().for_each(|(name, value)| call.metadata.add(name, value));
        }
        GrpcTarget::Google => {}
    }
    let plan = lock(&state.site.process.world).grpc(&call);
    if kind == GrpcTarget::Name && matches!(plan, GrpcPlan::UnknownCluster) {
        return Err(Status::ParseFailure.into());
    }
    let refused = if kind == GrpcTarget::Google {
        Some(Refused { inline: false, status: 13, message: String::new() })
    } else {
        refusal(&state.site, &call, &plan)
    };
    let token = token(&state.site, if call.stream { GRPC_STREAM } else { GRPC_CALL });
    state.grpc_calls.insert(token, Pending { root: state.root_of(state.acting()), stream: call.stream });
    let (vm, site) = (state.vm, &state.site);
    let step = |after, step| site.plan(after, Event::Grpc { vm, token, step });
    match refused {
        Some(Refused { inline, status, message }) => {
            step(Duration::ZERO, GrpcStep::Close(status, message));
            if inline {
                return Err(Status::InternalFailure.into());
            }
        }
        None => schedule(plan, call.stream, limit, step),
    }
    Ok(write_word(guest, token_at, token)?)
}

/// Why a call does not reach its service. What an upstream's codec does not take is found out at once where there is a
/// connection, and otherwise once there is one.
fn refusal(site: &Site, call: &GrpcCall, plan: &GrpcPlan) -> Option<Refused> {
    match plan {
        GrpcPlan::UnknownCluster => {
            Some(Refused { inline: true, status: 14, message: "Cluster not available".to_owned() })
        }
        GrpcPlan::Inline { status } => Some(Refused { inline: true, status: *status, message: String::new() }),
        GrpcPlan::Answer { .. } | GrpcPlan::Never => {
            let inline = site.connect(&call.cluster);
            unencodable(&call.metadata).map(|why| {
                let details = format!("filter_removed_required_request_headers{{{}}}", why.replace(' ', "_"));
                Refused { inline, status: 14, message: format!("{why}{{{details}}}") }
            })
        }
    }
}

/// Plans the outcome of a call that reaches its service.
fn schedule(plan: GrpcPlan, stream: bool, limit: Option<Duration>, step: impl Fn(Duration, GrpcStep)) {
    let late = |limit| step(limit, GrpcStep::Close(14, LATE.to_owned()));
    match (plan, limit) {
        (GrpcPlan::Answer { after, .. }, Some(limit)) if after >= limit => late(limit),
        (GrpcPlan::Never, Some(limit)) => late(limit),
        (GrpcPlan::Answer { after, initial, messages, trailing, status, message }, _) if stream => {
            let map = |headers| Answer { headers, ..Answer::default() };
            step(after, GrpcStep::Initial(map(initial)));
            for message in messages {
                step(after, GrpcStep::Message(message));
            }
            step(after, GrpcStep::Trailing(map(trailing)));
            step(after, GrpcStep::Close(status, message));
        }
        (GrpcPlan::Answer { after, messages, status, message, .. }, _) => match messages.into_iter().next() {
            Some(answer) if status == 0 => step(after, GrpcStep::Message(answer)),
            _ => step(after, GrpcStep::Close(status, message)),
        },
        (GrpcPlan::Never | GrpcPlan::UnknownCluster | GrpcPlan::Inline { .. }, _) => {}
    }
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

/// Ends a call, or this side of a stream: a stream is still notified of its remote end.
pub(crate) fn grpc_close(guest: Guest<'_, '_>, token: u32) -> Outcome {
    match token & 3 {
        GRPC_CALL => grpc_cancel(guest, token),
        _ => stream_token(guest, token),
    }
}
