//! Local replies.

use crate::abi;
use crate::header::sendable;
use weir_model::{PairsBuilder, Reply};

/// The reply to a request that could not be decided. It refuses: without a decision no request may pass.
pub(crate) fn internal_error(details: &str) -> Reply {
    Reply { status: 500, details: details.to_owned(), ..Reply::default() }
}

/// Answers a request that found no configured core, which the host should have prevented.
pub(crate) fn refuse_undecided() {
    send(&internal_error("weir_not_configured"));
}

#[inline(never)]
pub(crate) fn send(reply: &Reply) {
    let Reply { status, details, body, headers, grpc_status } = reply;
    let mut pairs = PairsBuilder::default();
    for (name, value) in sendable(headers) {
        pairs.push(name, value);
    }
    let headers = if headers.is_empty() { Vec::new() } else { pairs.finish() };
    let grpc_status = grpc_status.and_then(|status| i32::try_from(status).ok()).unwrap_or(-1);
    if abi::local_reply(u32::from(*status), details, body, &headers, grpc_status).is_err() {
        abi::log(4, "weir: the host would not send a local reply");
    }
}
