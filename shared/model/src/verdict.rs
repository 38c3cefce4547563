//! What a core decides about a request.

use crate::CallId;

/// What happens to a request now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request goes on.
    Continue,
    /// The request is answered here.
    Reply(Box<Reply>),
    /// The request is held until this callout has ended; then [`crate::Filter::resume`] decides. A callout that has ended
    /// already is not waited for.
    Await(CallId),
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
