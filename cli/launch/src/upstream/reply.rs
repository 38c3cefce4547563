//! What the upstream received and what it answers.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::HeaderMap;
use hyper::body::{Bytes, Frame};
use hyper::http::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::time::{Sleep, sleep};

/// A request as the upstream saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Whether it came over HTTP/2.
    pub http2: bool,
    /// The method.
    pub method: String,
    /// `:authority`; in HTTP/1.1 see the header `host`.
    pub authority: Option<String>,
    /// Path and query.
    pub path: String,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
    /// Trailers.
    pub trailers: Vec<(String, Vec<u8>)>,
}

impl Received {
    /// The first value of a header, bytes that are not UTF-8 replaced.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(known, _)| known == name)?;
        Some(String::from_utf8_lossy(&found.1).into_owned())
    }

    fn to_json(&self) -> Value {
        let pair = |(name, value): &(String, Vec<u8>)| json!([name, String::from_utf8_lossy(value)]);
        json!({
            "protocol": if self.http2 { "HTTP/2" } else { "HTTP/1.1" },
            "method": self.method,
            "authority": self.authority,
            "path": self.path,
            "headers": self.headers.iter().map(pair).collect::<Vec<_>>(),
            "bodyBytes": self.body.len(),
        })
    }
}

/// An answer of the upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Headers in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
    /// Trailers.
    pub trailers: Vec<(String, Vec<u8>)>,
    /// How long to wait before the headers.
    pub delay: Duration,
    /// Whether to break off instead of ending well.
    pub broken: Option<Broken>,
    /// Whether the connection is a tunnel after the headers, as after an upgrade or a CONNECT: the body goes into it, then
    /// the first line that comes out of it, and it ends.
    pub tunnel: bool,
}

/// Where a broken answer breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// No headers come.
    BeforeHeaders,
    /// Half of the body comes.
    InBody,
}

/// Answers 200 with the request as JSON, or as the request's own headers say: `x-upstream-status`,
/// `x-upstream-delay-ms`, `x-upstream-body-bytes`, `x-upstream-reset` (`headers` or `body`), `x-upstream-grpc-status`
/// (an empty gRPC answer with that status in the trailers), and `x-upstream-header` (`name: value`, may repeat).
#[must_use]
pub fn echo(request: &Received) -> Reply {
    let number = |name: &str| request.header(name).and_then(|value| value.parse::<u32>().ok());
    let mut reply = Reply {
        status: number("x-upstream-status").and_then(|status| u16::try_from(status).ok()).unwrap_or(200),
        delay: Duration::from_millis(number("x-upstream-delay-ms").unwrap_or(0).into()),
        broken: match request.header("x-upstream-reset").as_deref() {
            Some("headers") => Some(Broken::BeforeHeaders),
            Some("body") => Some(Broken::InBody),
            _ => None,
        },
        ..Reply::default()
    };
    let content = match number("x-upstream-grpc-status") {
        Some(status) => {
            reply.trailers.push(("grpc-status".to_owned(), status.to_string().into_bytes()));
            "application/grpc"
        }
        None => {
            reply.body = match number("x-upstream-body-bytes") {
                Some(bytes) => vec![b'x'; bytes as usize],
                None => format!("{}\n", request.to_json()).into_bytes(),
            };
            "application/json"
        }
    };
    reply.headers.push(("content-type".to_owned(), content.as_bytes().to_vec()));
    for (_, value) in request.headers.iter().filter(|(name, _)| name == "x-upstream-header") {
        if let Some((name, value)) = String::from_utf8_lossy(value).split_once(':') {
            reply.headers.push((name.trim().to_owned(), value.trim().as_bytes().to_vec()));
        }
    }
    reply
}

impl Reply {
    pub(super) fn into_response(self) -> io::Result<hyper::Response<Body>> {
        if self.broken == Some(Broken::BeforeHeaders) {
            return Err(io::Error::other("asked to break off"));
        }
        let mut response = hyper::Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(name.as_str(), value.as_slice());
        }
        if self.tunnel {
            let body = Body { parts: VecDeque::new(), trailers: None, broken: None };
            return response.body(body).map_err(io::Error::other);
        }
        let (first, second) = self.body.split_at_checked(self.body.len() / 2).unwrap_or_default();
        let parts = [first, second].into_iter().filter(|part| !part.is_empty()).map(Bytes::copy_from_slice);
        let mut body = Body { parts: parts.collect(), trailers: None, broken: None };
        if self.broken.is_some() {
            body.parts.truncate(1);
            body.broken = Some(Box::pin(sleep(Duration::from_millis(30))));
        } else if self.trailers.is_empty() {
            response = response.header("content-length", self.body.len());
        } else {
            body.trailers = Some(map(&self.trailers)?);
        }
        response.body(body).map_err(io::Error::other)
    }
}

fn map(pairs: &[(String, Vec<u8>)]) -> io::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::try_from(name.as_str()).map_err(io::Error::other)?;
        headers.append(name, HeaderValue::from_bytes(value).map_err(io::Error::other)?);
    }
    Ok(headers)
}

/// The body of an answer: its parts, then trailers, or after a moment a break.
pub(super) struct Body {
    parts: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
    broken: Option<Pin<Box<Sleep>>>,
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(part) = self.parts.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(part))));
        }
        if let Some(moment) = &mut self.broken {
            return moment.as_mut().poll(cx).map(|()| Some(Err(io::Error::other("asked to break off"))));
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.parts.is_empty() && self.broken.is_none() && self.trailers.is_none()
    }
}
