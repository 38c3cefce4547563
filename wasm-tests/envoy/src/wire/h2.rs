//! HTTP/2 through the `h2` crate, for requests that it accepts.

use std::io;

use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use hyper::body::Bytes as Block;
use hyper::http::{self, HeaderMap, HeaderName, HeaderValue, Version};
use tokio::time::sleep;
use weir_scenario::{Abort, Bytes, Fields, Request, Response};

use super::{BEFORE_ABORT, Io, ended_early};

/// One connection.
pub(crate) struct H2(SendRequest<Block>);

/// Whether the crate would send this request as it is written.
pub(crate) fn accepts(request: &Request) -> bool {
    const REFUSED: [&str; 5] = ["connection", "transfer-encoding", "upgrade", "keep-alive", "proxy-connection"];
    let known = |name: &Bytes| REFUSED.iter().any(|refused| name.0.eq_ignore_ascii_case(refused.as_bytes()));
    let upper = |name: &Bytes| name.0.iter().any(u8::is_ascii_uppercase);
    let sent = message(request).is_some_and(|message| {
        message.uri().path_and_query().is_some_and(|path| path.as_str().as_bytes() == request.path.0)
    });
    let te = |name: &Bytes, value: &Bytes| name.0 == b"te" && value.0 != b"trailers";
    sent && !request.all_headers().iter().any(|(name, value)| known(name) || upper(name) || te(name, value))
}

impl H2 {
    /// Opens a connection and lets it run.
    pub(crate) async fn open(io: Box<dyn Io>) -> io::Result<Self> {
        let (sender, connection) = h2::client::handshake(io).await.map_err(broken)?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// Sends one request and reads the response into `response`.
    pub(crate) async fn send(&mut self, request: &Request, response: &mut Response) -> io::Result<()> {
        let message = message(request).ok_or(io::ErrorKind::InvalidInput)?;
        let body = request.body.to_vec();
        let bare = body.is_empty() && request.trailers.0.is_empty() && request.abort.is_none();
        let mut sender = self.0.clone().ready().await.map_err(broken)?;
        let (answer, mut stream) = sender.send_request(message, bare).map_err(broken)?;
        if !bare {
            send_rest(request, body, &mut stream).await?;
        }
        read(answer, response).await
    }
}

async fn send_rest(request: &Request, body: Vec<u8>, stream: &mut SendStream<Block>) -> io::Result<()> {
    let half = body.get(..body.len() / 2).unwrap_or_default().to_vec();
    let (sent, last) = match request.abort {
        Some(Abort::AfterHeaders) => (None, false),
        Some(Abort::MidBody) => (Some(half), false),
        Some(Abort::BeforeResponse) | None => (Some(body), request.trailers.0.is_empty()),
    };
    if let Some(block) = sent {
        stream.send_data(Block::from(block), last).map_err(broken)?;
    }
    if request.abort.is_some() {
        sleep(BEFORE_ABORT).await;
        stream.send_reset(Reason::CANCEL);
        return Err(ended_early());
    }
    if !last {
        let mut trailers = HeaderMap::new();
        for (name, value) in &request.trailers.0 {
            let name = HeaderName::from_bytes(&name.0).map_err(io::Error::other)?;
            trailers.append(name, HeaderValue::from_bytes(&value.0).map_err(io::Error::other)?);
        }
        stream.send_trailers(trailers).map_err(broken)?;
    }
    Ok(())
}

async fn read(answer: ResponseFuture, response: &mut Response) -> io::Result<()> {
    let (head, mut body) = answer.await.map_err(broken)?.into_parts();
    response.status = Some(head.status.as_u16());
    response.headers = fields(&head.headers);
    while let Some(block) = body.data().await {
        let block = block.map_err(broken)?;
        response.body.0.extend_from_slice(&block);
        body.flow_control().release_capacity(block.len()).map_err(broken)?;
    }
    if let Some(trailers) = body.trailers().await.map_err(broken)? {
        response.trailers = fields(&trailers);
    }
    Ok(())
}

/// The request for the crate; `None` if it cannot say it.
fn message(request: &Request) -> Option<http::Request<()>> {
    let mut message = http::Request::builder().method(request.method.as_bytes());
    if request.omit_authority {
        // Only a request of the older version may lack an authority; on the wire it is still HTTP/2.
        message = message.version(Version::HTTP_11).uri(request.path.0.as_slice());
    } else {
        let uri = http::Uri::builder().scheme("http").authority(request.authority.0.as_slice());
        message = message.version(Version::HTTP_2).uri(uri.path_and_query(request.path.0.as_slice()).build().ok()?);
    }
    for (name, value) in request.all_headers() {
        message = message.header(HeaderName::from_bytes(&name.0).ok()?, HeaderValue::from_bytes(&value.0).ok()?);
    }
    message.body(()).ok()
}

fn fields(headers: &HeaderMap) -> Fields {
    let pair = |(name, value): (&HeaderName, &HeaderValue)| (name.as_str().into(), Bytes(value.as_bytes().to_vec()));
    Fields(headers.iter().map(pair).collect())
}

fn broken(error: h2::Error) -> io::Error {
    io::Error::other(error)
}
