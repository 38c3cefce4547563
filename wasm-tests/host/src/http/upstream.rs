//! What an upstream's answer, or its failure, looks like to Envoy: the same for streams and for callouts.

use crate::http::headers::HeaderMap;
use weir_scenario::{Answer, Bytes};

/// Why a connection was not made; what follows the bar is in the details only.
pub(crate) const REFUSED: &str = "remote connection failure|delayed connect error: Connection refused";

/// The body of the 503 for an upstream that failed before any header.
pub(crate) fn failure(reason: &str) -> String {
    let reason = reason.split('|').next().unwrap_or_default();
    format!("upstream connect error or disconnect/reset before headers. reset reason: {reason}")
}

/// Its response code details.
pub(crate) fn failure_details(reason: &str) -> String {
    format!("upstream_reset_before_response_started{{{reason}}}").replace(' ', "_")
}

/// Headers and trailers of an answer as the router hands them on, at a wall clock in nanoseconds.
pub(crate) fn head(answer: &Answer, wall: u64) -> (HeaderMap, Option<HeaderMap>) {
    let pair = |(name, value): &(Bytes, Bytes)| (name.0.clone(), value.0.clone());
    let mut headers = HeaderMap::new([(":status", answer.status.to_string())]);
    for (name, value) in answer.headers.0.iter().map(pair) {
        headers.add(&name, &value);
    }
    let trailers = (!answer.trailers.0.is_empty()).then(|| HeaderMap::new(answer.trailers.0.iter().map(pair)));
    if headers.get(b"content-length").is_none() && trailers.is_none() && answer.status != 204 {
        headers.add(b"content-length", answer.body.0.len().to_string().as_bytes());
    }
    if headers.get(b"date").is_none() {
        headers.add(b"date", crate::http::date::http(wall / 1_000_000_000).as_bytes());
    }
    headers.add(b"x-envoy-upstream-service-time", answer.delay.0.as_millis().to_string().as_bytes());
    (headers, trailers)
}
