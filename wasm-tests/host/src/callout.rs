//! The world that callouts reach: asked once per call, it says what will come of it and when.

use crate::headers::HeaderMap;
use std::time::Duration;
use weir_scenario::{Behaviour, Surroundings};

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

/// What comes of an HTTP callout.
#[derive(Clone, Debug)]
pub enum HttpPlan {
    /// There is no such cluster: `BadArgument`.
    UnknownCluster,
    /// The client ends before the call returns: `InternalFailure`, and no callback.
    Inline,
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

/// What comes of a gRPC callout.
#[derive(Clone, Debug)]
pub enum GrpcPlan {
    /// There is no such cluster: `ParseFailure`.
    UnknownCluster,
    /// The client ends before the call returns: `InternalFailure`, and a close all the same.
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
    /// What comes of an HTTP callout.
    fn http(&mut self, call: &HttpCall) -> HttpPlan;
    /// What comes of a gRPC callout.
    fn grpc(&mut self, call: &GrpcCall) -> GrpcPlan;
}

/// The world of a scenario: HTTP callouts get what the named cluster's upstream does; gRPC is not served by any.
#[derive(Clone, Debug)]
pub struct Clusters(pub Surroundings);

impl World for Clusters {
    fn http(&mut self, call: &HttpCall) -> HttpPlan {
        let Some(cluster) = std::str::from_utf8(&call.cluster).ok().and_then(|name| self.0.clusters.get(name)) else {
            return HttpPlan::UnknownCluster;
        };
        match &cluster.behaviour {
            Behaviour::Answer(answer) => {
                let mut headers = HeaderMap::new([(":status", answer.status.to_string())]);
                for (name, value) in &answer.headers.0 {
                    headers.add(name.as_slice(), value.as_slice());
                }
                let trailers = answer.trailers.0.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
                let trailers = HeaderMap::new(trailers);
                HttpPlan::Answer { after: answer.delay.0, headers, body: answer.body.0.clone(), trailers }
            }
            Behaviour::Unreachable => failed(
                b"upstream connect error or disconnect/reset before headers. \
                reset reason: remote connection failure, transport failure reason: delayed connect error: \
                Connection refused",
            ),
            Behaviour::ResetBeforeHeaders => failed(
                b"upstream connect error or disconnect/reset before headers. \
                reset reason: connection termination",
            ),
            Behaviour::Hang => HttpPlan::Never,
            Behaviour::ResetMidBody(answer) => HttpPlan::Reset { after: answer.delay.0 },
        }
    }

    fn grpc(&mut self, call: &GrpcCall) -> GrpcPlan {
        let known = std::str::from_utf8(&call.cluster).is_ok_and(|name| self.0.clusters.contains_key(name));
        if !known {
            return GrpcPlan::UnknownCluster;
        }
        let (status, message) = (14, "upstream connect error or disconnect/reset before headers".to_owned());
        let none = HeaderMap::default();
        let (initial, trailing, after) = (none.clone(), none, Duration::ZERO);
        GrpcPlan::Answer { after, initial, messages: Vec::new(), trailing, status, message }
    }
}

/// What Envoy's router makes of a connection that fails: an ordinary 503.
fn failed(text: &[u8]) -> HttpPlan {
    let length = text.len().to_string();
    let headers = [(":status", "503"), ("content-length", &length), ("content-type", "text/plain")];
    let trailers = HeaderMap::default();
    HttpPlan::Answer { after: Duration::ZERO, headers: HeaderMap::new(headers), body: text.to_vec(), trailers }
}
