//! Envoy's gRPC-Web filter, which stands between the client and the modules: they see plain gRPC. Binary messages only.
//! (Envoy: `source/extensions/filters/http/grpc_web/grpc_web_filter.cc`.)

use crate::http::headers::HeaderMap;
use crate::http::local_reply::{grpc_message, grpc_of_http, is_grpc};
use crate::http::stream_data::StreamData;
use crate::worker::stream::Frame;

const PLAIN: &[u8] = b"application/grpc";
const KINDS: [&[u8]; 2] = [b"application/grpc-web", b"application/grpc-web+proto"];
/// The most bytes of a body that is not gRPC which become the message.
const LONGEST_MESSAGE: usize = 16_384;

/// A stream of gRPC-Web.
#[derive(Debug, Default)]
pub(crate) struct Web {
    /// The body so far of a response that is not gRPC, whose headers wait for it.
    held: Option<Vec<u8>>,
}

impl Web {
    /// Turns a gRPC-Web request into a gRPC request.
    pub(crate) fn of(headers: &mut HeaderMap) -> Option<Self> {
        headers.get(b":path")?;
        headers.get(b"content-type").filter(|kind| KINDS.contains(kind))?;
        headers.remove(b"content-length");
        headers.replace(b"content-type", PLAIN);
        headers.replace(b"te", b"trailers");
        if headers.get(b"grpc-accept-encoding").is_none() {
            headers.add(b"grpc-accept-encoding", b"identity");
        }
        Some(Self::default())
    }

    /// The frames that a frame of the response becomes for the client.
    pub(crate) fn response(&mut self, data: &mut StreamData, frame: Frame) -> Vec<Frame> {
        match (frame, self.held.take()) {
            (Frame::Headers { end }, _) => {
                let Some(headers) = data.response_headers.as_mut() else { return Vec::new() };
                let status_ok = headers.get(b":status") == Some(b"200");
                let web = headers.get(b"content-type").is_some_and(|kind| KINDS.contains(&kind));
                let other = !(status_ok && (is_grpc(headers) || web));
                headers.remove(b"content-length");
                headers.replace(b"content-type", b"application/grpc-web+proto");
                if other && !end {
                    self.held = Some(Vec::new());
                    return Vec::new();
                }
                vec![Frame::Headers { end }]
            }
            (Frame::Data { bytes, end: false }, Some(mut held)) => {
                held.extend(bytes);
                self.held = Some(held);
                Vec::new()
            }
            (Frame::Data { bytes, end: true }, Some(mut held)) => {
                let limit = if held.is_empty() { usize::MAX } else { LONGEST_MESSAGE };
                held.extend(bytes);
                held.truncate(limit);
                explain(data, &held);
                vec![Frame::Headers { end: false }, Frame::Data { bytes: Vec::new(), end: true }]
            }
            (Frame::Trailers, Some(mut held)) => {
                held.truncate(LONGEST_MESSAGE);
                explain(data, &held);
                vec![Frame::Headers { end: false }, Frame::Trailers]
            }
            (Frame::Trailers, None) => {
                let bytes = data.response_trailers.as_mut().map(last_frame).unwrap_or_default();
                vec![Frame::Data { bytes, end: true }]
            }
            (frame, None) => vec![frame],
        }
    }
}

/// Translates the status and body of a response that is not gRPC into gRPC's headers.
fn explain(data: &mut StreamData, body: &[u8]) {
    let Some(headers) = data.response_headers.as_mut() else { return };
    let status = headers.get(b":status").and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
    headers.replace(b"grpc-message", grpc_message(body).as_bytes());
    headers.replace(b"grpc-status", grpc_of_http(status.unwrap_or(0)).to_string().as_bytes());
    headers.replace(b"content-length", b"0");
}

/// Moves the trailers into the last frame of the body.
fn last_frame(trailers: &mut HeaderMap) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in trailers.iter() {
        lines.extend_from_slice(&[name, b":", value, b"\r\n"].concat());
    }
    *trailers = HeaderMap::default();
    let length = u32::try_from(lines.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[0x80], &length[..], &lines].concat()
}

#[cfg(test)]
mod tests;
