//! What falls due on a worker: answers to callouts, and what upstreams do.

use crate::http::headers::HeaderMap;
use crate::http::local_reply::{self, LocalReply, is_grpc};

/// What a callout brought: visible to the module inside its callback only.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: HeaderMap,
}

impl Answer {
    /// The 503 that Envoy's router answers in an upstream's place to a request with those headers.
    pub(crate) fn unavailable(request: &HeaderMap, text: &str) -> Self {
        Self::of_router(request, 503, text)
    }

    /// What Envoy's router answers by itself.
    pub(crate) fn of_router(request: &HeaderMap, code: u16, text: &str) -> Self {
        let reply = LocalReply { code, body: text.as_bytes().to_vec(), ..LocalReply::default() };
        let is_head = request.get(b":method").is_some_and(|method| method == b"HEAD");
        let (headers, body) = local_reply::build(&reply, is_grpc(request), is_head);
        Self { headers, body, trailers: HeaderMap::default() }
    }
}

/// Something that falls due on a worker.
#[derive(Debug)]
pub(crate) enum Event {
    /// An HTTP callout ends; `None` for a reset.
    Http { vm: u64, token: u32, answer: Option<Answer> },
    /// A step of a gRPC callout.
    Grpc { vm: u64, token: u32, step: GrpcStep },
    /// An upstream does something to a stream.
    Upstream { stream: u64, step: UpstreamStep },
}

/// What happens to a gRPC callout.
#[derive(Debug)]
pub(crate) enum GrpcStep {
    Initial(Answer),
    Message(Vec<u8>),
    Trailing(Answer),
    Close(u32, String),
}

/// What an upstream does.
#[derive(Debug)]
pub(crate) enum UpstreamStep {
    /// It answers, wholly or up to the middle of the body.
    Answer { answer: weir_scenario::Answer, half: bool, http2: bool },
    /// It takes an upgrade or a CONNECT.
    Tunnel(weir_scenario::Answer),
    /// It sends what came through the tunnel back, and closes.
    TunnelEnds(Vec<u8>),
    /// The connection cannot be made, or breaks before any header.
    Fail { details: &'static str, flags: &'static str },
    /// It takes too long.
    Timeout,
    /// The client takes too long to send the whole request.
    SlowRequest,
}

/// Whether an event is for a VM.
pub(crate) fn belongs(event: &Event, id: u64) -> bool {
    match event {
        Event::Http { vm, .. } | Event::Grpc { vm, .. } => *vm == id,
        Event::Upstream { .. } => false,
    }
}
