//! Requests of a filter to other services, and how they end.
//!
//! A callout belongs to the configuration that asked for it, not to the stream whose request caused it: several streams
//! may wait for one callout, and the stream that caused it may end first. So a core asks with [`crate::Effects::call`], a
//! stream waits with [`crate::Verdict::Await`], and the answer arrives at [`crate::Filter::called`] in any case.

use crate::Headers;

/// The largest answer that a core is given, in bytes. A larger one is [`Answer::TooLarge`].
pub const ANSWER_LIMIT: usize = 1 << 20;

/// A callout in flight, unique within one configuration of one VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId {
    /// The part of a composition that asked.
    pub owner: u8,
    /// Counts the callouts from 1.
    pub number: u64,
}

/// A request to another service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Callout {
    /// An HTTP request.
    Http(HttpCallout),
    /// A unary gRPC call.
    Grpc(GrpcCallout),
}

/// An HTTP request to a cluster of Envoy's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpCallout {
    /// Cluster name.
    pub cluster: String,
    /// Headers. Envoy wants `:method`, `:path` and `:authority`. A value may hold any byte but NUL, CR and LF.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Body.
    pub body: Vec<u8>,
    /// Upper bound in milliseconds, from 1 to 2^31-1; a value outside is moved to the nearer end.
    pub timeout_millis: u32,
}

/// A unary gRPC call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrpcCallout {
    /// The service to call.
    pub target: GrpcTarget,
    /// Full service name, such as `envoy.service.ratelimit.v3.RateLimitService`.
    pub service: String,
    /// Method name, such as `ShouldRateLimit`.
    pub method: String,
    /// Serialised request message.
    pub message: Vec<u8>,
}

/// Where a gRPC call goes: what `envoy.config.core.v3.GrpcService` says with `envoy_grpc`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrpcTarget {
    /// Cluster name.
    pub cluster: String,
    /// `:authority`; empty means the cluster name.
    pub authority: String,
    /// Initial metadata: names in lower case, values of any byte but NUL, CR and LF. Values are sent as they are: Envoy's
    /// format strings (`%...%`) have no meaning here.
    pub initial_metadata: Vec<(Vec<u8>, Vec<u8>)>,
    /// Upper bound in milliseconds, from 1 to 2^31-1; a value outside is moved to the nearer end.
    pub timeout_millis: u32,
}

/// How a callout ended.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// An HTTP response arrived. Envoy's router answers a timeout with 504 and a failed connection with 503.
    Http {
        /// Response headers, `:status` included.
        headers: Headers<'a>,
        /// Response body, whole.
        body: &'a [u8],
    },
    /// A gRPC response message arrived.
    Grpc {
        /// Serialised response message, whole.
        message: &'a [u8],
    },
    /// An answer arrived whose body or message is longer than [`ANSWER_LIMIT`], and was not read.
    TooLarge {
        /// Its length in bytes.
        bytes: usize,
        /// Response headers, `:status` included; none of a gRPC message.
        headers: Headers<'a>,
    },
    /// There is no answer.
    Failed(CallFailure),
}

/// Why a callout has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFailure {
    /// It was not sent: the host refused it, the callout holds bytes that may not be sent, or too many callouts are in
    /// flight.
    NotSent,
    /// It was not sent: the host does not know the cluster.
    NoCluster,
    /// It was not sent: no host of the cluster can be asked, because none is healthy or its circuit breaker is open. Of a
    /// gRPC call this may also mean that the host does not know the cluster.
    NoHost,
    /// The connection was reset before the response was complete, or the configuration ended before that.
    Reset,
    /// The gRPC call ended with this status and without a message.
    Status(u32),
    /// An answer arrived and the host would not hand it over.
    Unreadable,
}

/// Why a stream that returned [`crate::Verdict::Await`] is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumption {
    /// The callout is not in flight any more: [`crate::Filter::called`] has had its answer.
    Answered(CallId),
    /// Too many streams wait already: 64 for this callout, which another one may serve, or 1,024 in this VM.
    TooManyWaiting(CallId),
}
