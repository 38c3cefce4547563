//! Local replies as Envoy's connection manager builds them, for plain HTTP and for gRPC.

use crate::abi::pairs::Pairs;
use crate::http::headers::HeaderMap;
use std::fmt::Write as _;

/// A reply in the upstream's place.
#[derive(Clone, Debug, Default)]
pub(crate) struct LocalReply {
    pub(crate) code: u16,
    pub(crate) details: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) headers: Pairs,
    pub(crate) grpc_status: Option<u32>,
}

/// The gRPC status that stands for an HTTP status (`Grpc::Utility::httpToGrpcStatus`); unknown for 200, too.
pub(crate) fn grpc_of_http(code: u16) -> i64 {
    match code {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

/// Whether a request is gRPC: `application/grpc` with or without a `+suffix`.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(b"content-type").is_some_and(|value| {
        value.strip_prefix(b"application/grpc").is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'+'))
    })
}

/// Percent-encoding of `grpc-message`.
pub(crate) fn grpc_message(body: &[u8]) -> String {
    let mut out = String::with_capacity(body.len());
    for &byte in body {
        if (0x20..0x7f).contains(&byte) && byte != b'%' {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Headers and body of a reply.
pub(crate) fn build(reply: &LocalReply, grpc: bool, head: bool) -> (HeaderMap, Vec<u8>) {
    let mut headers = HeaderMap::default();
    if grpc {
        headers.add(b":status", b"200");
        headers.add(b"content-type", b"application/grpc");
        let status = reply.grpc_status.map_or_else(|| grpc_of_http(reply.code), i64::from);
        headers.add(b"grpc-status", status.to_string().as_bytes());
        if !reply.body.is_empty() {
            headers.add(b"grpc-message", grpc_message(&reply.body).as_bytes());
        }
        for (name, value) in &reply.headers {
            headers.add(name, value);
        }
        return (headers, Vec::new());
    }
    headers.add(b":status", reply.code.to_string().as_bytes());
    for (name, value) in &reply.headers {
        headers.add(name, value);
    }
    if reply.body.is_empty() {
        headers.remove(b"content-length");
    } else {
        headers.replace(b"content-length", reply.body.len().to_string().as_bytes());
        if headers.get(b"content-type").is_none() {
            headers.add(b"content-type", b"text/plain");
        }
    }
    (headers, if head { Vec::new() } else { reply.body.clone() })
}
