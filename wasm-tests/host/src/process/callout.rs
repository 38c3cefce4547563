//! The world that callouts reach: asked once per call, it says what will come of it and when.

use crate::http::headers::HeaderMap;
use crate::http::upstream;
use crate::process::clock::Clock;
use crate::process::event::Answer;
use std::time::Duration;
use weir_scenario::{Answer as Scripted, Behaviour, Surroundings};

/// An HTTP callout.
#[derive(Clone, Debug)]
pub struct HttpCall {
    /// Cluster name.
    pub cluster: Vec<u8>,
    /// Headers with pseudo-headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Vec<u8>,
    /// Trailers.
    pub trailers: HeaderMap,
}

/// The outcome of an HTTP callout.
#[derive(Clone, Debug)]
pub enum HttpPlan {
    /// There is no such cluster: `BadArgument`.
    UnknownCluster,
    /// The client ends before the call returns: `InternalFailure`, and no callback.
    Inline,
    /// No connection is made: the router answers 503.
    Unreachable,
    /// A response.
    Answer {
        /// When it is there.
        after: Duration,
        /// Headers with `:status`.
        headers: HeaderMap,
        /// Body.
        body: Vec<u8>,
        /// Trailers.
        trailers: HeaderMap,
    },
    /// A reset: a callback with three zeros.
    Reset {
        /// When.
        after: Duration,
    },
    /// Nothing, until the timeout if there is one.
    Never,
}

/// A gRPC callout or the opening of a stream.
#[derive(Clone, Debug)]
pub struct GrpcCall {
    /// Cluster name.
    pub cluster: Vec<u8>,
    /// Host that the service is asked for, where the target says one; the cluster's name otherwise.
    pub authority: Option<Vec<u8>>,
    /// Service.
    pub service: Vec<u8>,
    /// Method.
    pub method: Vec<u8>,
    /// Initial metadata.
    pub metadata: HeaderMap,
    /// The one message of a unary call; empty for a stream.
    pub message: Vec<u8>,
    /// Whether it is a stream.
    pub stream: bool,
}

/// The outcome of a gRPC callout.
#[derive(Clone, Debug)]
pub enum GrpcPlan {
    /// There is no such cluster: `ParseFailure`.
    UnknownCluster,
    /// The client ends before the call returns: `InternalFailure`, and a close.
    Inline {
        /// gRPC status of the close.
        status: u32,
    },
    /// It ends by itself. For a unary call the first message is the answer, and a close comes only where there is none.
    Answer {
        /// When.
        after: Duration,
        /// Initial metadata (streams).
        initial: HeaderMap,
        /// Messages.
        messages: Vec<Vec<u8>>,
        /// Trailing metadata (streams).
        trailing: HeaderMap,
        /// gRPC status.
        status: u32,
        /// gRPC message.
        message: String,
    },
    /// Nothing, until the timeout if there is one.
    Never,
}

/// Answers callouts.
pub trait World: Send {
    /// The outcome of an HTTP callout.
    fn http(&mut self, call: &HttpCall) -> HttpPlan;
    /// The outcome of a gRPC callout.
    fn grpc(&mut self, call: &GrpcCall) -> GrpcPlan;
}

/// The world of a scenario: callouts get what the named cluster's upstream does.
#[derive(Clone, Debug)]
pub struct Clusters {
    surroundings: Surroundings,
    /// For the date that upstreams put on their answers.
    clock: Clock,
}

impl Clusters {
    /// The clusters of some surroundings, at the time of a clock.
    #[must_use]
    pub fn new(surroundings: Surroundings, clock: Clock) -> Self {
        Clusters { surroundings, clock }
    }

    fn behaviour(&self, name: &[u8]) -> Option<&Behaviour> {
        let name = std::str::from_utf8(name).ok()?;
        self.surroundings.clusters.get(name).map(|cluster| &cluster.behaviour)
    }
}

impl World for Clusters {
    fn http(&mut self, call: &HttpCall) -> HttpPlan {
        match self.behaviour(&call.cluster) {
            None => HttpPlan::UnknownCluster,
            Some(Behaviour::Answer(answer) | Behaviour::Tunnel(answer)) => {
                let (headers, trailers) = upstream::head(answer, self.clock.wall());
                let trailers = trailers.unwrap_or_default();
                HttpPlan::Answer { after: answer.delay.0, headers, body: answer.body.0.clone(), trailers }
            }
            Some(Behaviour::Unreachable) => HttpPlan::Unreachable,
            Some(Behaviour::ResetBeforeHeaders) => {
                let Answer { headers, body, trailers } =
                    Answer::unavailable(&call.headers, &upstream::failure("connection termination"));
                HttpPlan::Answer { after: Duration::ZERO, headers, body, trailers }
            }
            Some(Behaviour::Hang) => HttpPlan::Never,
            Some(Behaviour::ResetMidBody(answer)) => HttpPlan::Reset { after: answer.delay.0 },
        }
    }

    fn grpc(&mut self, call: &GrpcCall) -> GrpcPlan {
        let refused = |reason| {
            let failure = upstream::failure(reason);
            let (ok, grpc) = ("200", "application/grpc");
            let trailing =
                [(":status", ok), ("content-type", grpc), ("grpc-status", "14"), ("grpc-message", failure.as_str())];
            let trailing = HeaderMap::new(trailing);
            let message = format!("{failure}{{{}}}", upstream::failure_details(reason));
            ended(Duration::ZERO, Ends { status: 14, message, trailing, ..Ends::default() })
        };
        match self.behaviour(&call.cluster) {
            None => GrpcPlan::UnknownCluster,
            Some(Behaviour::Answer(answer) | Behaviour::Tunnel(answer)) => served(answer, self.clock.wall()),
            Some(Behaviour::Unreachable) => refused(upstream::REFUSED),
            Some(Behaviour::ResetBeforeHeaders | Behaviour::ResetMidBody(_)) => refused("connection termination"),
            Some(Behaviour::Hang) => GrpcPlan::Never,
        }
    }
}

/// How a gRPC callout goes.
#[derive(Default)]
struct Ends {
    initial: HeaderMap,
    messages: Vec<Vec<u8>>,
    trailing: HeaderMap,
    status: u32,
    message: String,
}

fn ended(after: Duration, ends: Ends) -> GrpcPlan {
    let Ends { initial, messages, trailing, status, message } = ends;
    GrpcPlan::Answer { after, initial, messages, trailing, status, message }
}

/// What a gRPC client makes of an HTTP answer. One without body and trailers is all trailers.
fn served(answer: &Scripted, wall: u64) -> GrpcPlan {
    let (headers, trailers) = upstream::head(answer, wall);
    let (initial, trailing) = match trailers {
        None if answer.body.0.is_empty() => (HeaderMap::default(), headers),
        trailers => (headers, trailers.unwrap_or_default()),
    };
    let text = |name: &[u8]| trailing.get(name).and_then(|value| std::str::from_utf8(value).ok());
    let (messages, broken) = messages(&answer.body.0);
    let status = if broken { Some(13) } else { text(b"grpc-status").and_then(|text| text.parse().ok()) };
    let message = match text(b"grpc-message").filter(|text| !text.is_empty()) {
        Some(said) => format!("{said}{{via_upstream}}"),
        None => "via_upstream".to_owned(),
    };
    ended(answer.delay.0, Ends { status: status.unwrap_or(2), messages, message, initial, trailing })
}

/// The messages of a body, each a flag, a length and the bytes; and whether the body is malformed.
fn messages(mut body: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let mut out = Vec::new();
    while let Some((&flag, rest)) = body.split_first() {
        let Some((length, rest)) = rest.split_first_chunk::<4>() else { return (out, true) };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let Some((message, rest)) = rest.split_at_checked(length).filter(|_| flag == 0) else { return (out, true) };
        out.push(message.to_vec());
        body = rest;
    }
    (out, false)
}
