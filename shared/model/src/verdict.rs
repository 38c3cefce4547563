//! What a core decides, and what it may wait for.

/// What happens to a request now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request goes on.
    Continue,
    /// The request is answered here.
    Reply(Box<Reply>),
    /// The request is held until the callout has an answer, which [`crate::Filter::answer`] gets.
    Await(Box<Callout>),
}

/// A local reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Response code details as the access log prints them; must not hold white space.
    pub details: String,
    /// Body; for a gRPC request Envoy makes it the `grpc-message`.
    pub body: Vec<u8>,
    /// Headers to add; names in lower case.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// `grpc-status` of a gRPC request; `None` lets Envoy map the HTTP status.
    pub grpc_status: Option<u32>,
}

/// A question to another service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callout {
    /// Whom to ask.
    pub target: CalloutTarget,
    /// HTTP headers (pseudo-headers included) or gRPC initial metadata.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// HTTP body or serialised gRPC request message.
    pub body: Vec<u8>,
    /// Upper bound in milliseconds; at least 1.
    pub timeout_millis: u32,
}

/// Whom a callout asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CalloutTarget {
    /// An HTTP request to a cluster of Envoy's.
    Http {
        /// Cluster name.
        cluster: String,
    },
    /// A unary gRPC call.
    Grpc {
        /// A serialised `envoy.config.core.v3.GrpcService`, or a cluster name. Envoy tries the message first, and a name
        /// whose bytes happen to be one (`empty` is: an unknown field) ends the process for want of a target. So a name
        /// that an operator chose is given inside the message.
        service: Vec<u8>,
        /// Full service name, such as `envoy.service.ratelimit.v3.RateLimitService`.
        service_name: String,
        /// Method name.
        method: String,
    },
}

/// How a callout ended.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// An HTTP response arrived. Timeouts and connect failures of Envoy's arrive here too, as 504 and 503.
    Http {
        /// Response headers, `:status` included.
        headers: crate::Headers<'a>,
        /// Response body.
        body: &'a [u8],
    },
    /// A gRPC response message arrived.
    Grpc {
        /// Serialised response message.
        message: &'a [u8],
    },
    /// The call could not be made, was reset, or ended with a gRPC status.
    Failed {
        /// gRPC status code, or 0 where there is none.
        grpc_status: u32,
    },
}
