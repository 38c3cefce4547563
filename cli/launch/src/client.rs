//! A small HTTP client that blocks: HTTP/1.1 and HTTP/2 with prior knowledge, over any transport.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper::http::{self, HeaderName, HeaderValue, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

/// Which HTTP a connection speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2 from the first byte.
    Http2,
}

/// A request to send. Header values are bytes: what HTTP allows in them is more than UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: String,
    /// `http` or `https`; HTTP/2 only.
    pub scheme: String,
    /// `:authority`, or `host` in HTTP/1.1 unless `headers` has one.
    pub authority: String,
    /// Path and query, sent as it is.
    pub path: String,
    /// Headers in order; names may repeat.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
    /// Trailers; HTTP/2 only.
    pub trailers: Vec<(String, Vec<u8>)>,
}

impl Request {
    /// A request without headers and body.
    #[must_use]
    pub fn new(method: &str, authority: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            scheme: "http".to_owned(),
            authority: authority.to_owned(),
            path: path.to_owned(),
            ..Self::default()
        }
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }
}

/// A whole response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Headers with lower-case names.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
    /// Trailers, where there were some.
    pub trailers: Vec<(String, Vec<u8>)>,
}

impl Response {
    /// The first value of a header, bytes that are not UTF-8 replaced.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(String::from_utf8_lossy(&found.1).into_owned())
    }

    /// The body, bytes that are not UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Why a request got no answer.
#[derive(Debug)]
pub enum ClientError {
    /// The connection could not be made.
    Connect(io::Error),
    /// The connection or the stream broke.
    Broken(hyper::Error),
    /// No answer in time.
    Late(Duration),
    /// The request cannot be said in HTTP by this client.
    Request(http::Error),
    /// An answer that was not expected.
    Unexpected(String),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => write!(f, "cannot connect: {error}"),
            Self::Broken(error) => write!(f, "the connection broke: {error}"),
            Self::Late(within) => write!(f, "no answer within {} s", within.as_secs()),
            Self::Request(error) => write!(f, "not a request: {error}"),
            Self::Unexpected(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for ClientError {}

/// Makes connections. May be used from several threads.
#[derive(Clone, Debug)]
pub struct Client {
    runtime: Arc<Runtime>,
}

impl Client {
    /// A client with an event loop of its own.
    ///
    /// # Errors
    /// When the system refuses one.
    pub fn new() -> Result<Self, ClientError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(ClientError::Connect)?;
        Ok(Self { runtime: Arc::new(runtime) })
    }

    /// One request on a connection of its own.
    ///
    /// # Errors
    /// When there is no whole answer within ten seconds.
    pub fn send(&self, to: SocketAddr, protocol: Protocol, request: &Request) -> Result<Response, ClientError> {
        self.connect(to, protocol)?.send(request)
    }

    /// A connection over TCP.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn connect(&self, to: SocketAddr, protocol: Protocol) -> Result<Connection, ClientError> {
        self.connect_over(protocol, TcpStream::connect(to))
    }

    /// A connection over the transport that `io` makes, such as TLS.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn connect_over<T, F>(&self, protocol: Protocol, io: F) -> Result<Connection, ClientError>
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        F: Future<Output = io::Result<T>>,
    {
        let made = async {
            let io = TokioIo::new(io.await.map_err(ClientError::Connect)?);
            match protocol {
                Protocol::Http1 => {
                    let (sender, connection) = http1::handshake(io).await.map_err(ClientError::Broken)?;
                    tokio::spawn(connection);
                    Ok(Sender::Http1(sender))
                }
                Protocol::Http2 => {
                    let made = http2::handshake(TokioExecutor::new(), io).await;
                    let (sender, connection) = made.map_err(ClientError::Broken)?;
                    tokio::spawn(connection);
                    Ok(Sender::Http2(sender))
                }
            }
        };
        let sender = self.runtime.block_on(in_time(WITHIN, made))?;
        Ok(Connection { runtime: self.runtime.clone(), sender })
    }
}

/// An open connection; requests go one after the other.
#[derive(Debug)]
pub struct Connection {
    runtime: Arc<Runtime>,
    sender: Sender,
}

const WITHIN: Duration = Duration::from_secs(10);

impl Connection {
    /// Sends a request and reads the whole response.
    ///
    /// # Errors
    /// When there is no whole answer within ten seconds.
    pub fn send(&mut self, request: &Request) -> Result<Response, ClientError> {
        let message = self.sender.message(request).map_err(ClientError::Request)?;
        let sender = &mut self.sender;
        self.runtime.block_on(in_time(WITHIN, async {
            let response = match sender {
                Sender::Http1(sender) => {
                    sender.ready().await.map_err(ClientError::Broken)?;
                    sender.send_request(message).await
                }
                Sender::Http2(sender) => {
                    sender.ready().await.map_err(ClientError::Broken)?;
                    sender.send_request(message).await
                }
            };
            let (head, body) = response.map_err(ClientError::Broken)?.into_parts();
            let body = body.collect().await.map_err(ClientError::Broken)?;
            Ok(Response {
                status: head.status.as_u16(),
                headers: pairs(&head.headers),
                trailers: body.trailers().map(pairs).unwrap_or_default(),
                body: body.to_bytes().to_vec(),
            })
        }))
    }
}

type Body = BoxBody<Bytes, std::convert::Infallible>;

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Sender {
    fn message(&self, request: &Request) -> Result<hyper::Request<Body>, http::Error> {
        let uri = match self {
            Self::Http1(_) => Uri::try_from(request.path.as_str())?,
            Self::Http2(_) => Uri::builder()
                .scheme(request.scheme.as_str())
                .authority(request.authority.as_str())
                .path_and_query(request.path.as_str())
                .build()?,
        };
        let mut builder = http::Request::builder().method(request.method.as_str()).uri(uri);
        let has_host = request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host"));
        if matches!(self, Self::Http1(_)) && !has_host {
            builder = builder.header("host", request.authority.as_str());
        }
        for (name, value) in &request.headers {
            builder = builder.header(HeaderName::try_from(name.as_str())?, HeaderValue::from_bytes(value)?);
        }
        let body = Full::new(Bytes::from(request.body.clone()));
        if request.trailers.is_empty() {
            return builder.body(body.boxed());
        }
        let mut trailers = HeaderMap::new();
        for (name, value) in &request.trailers {
            trailers.append(HeaderName::try_from(name.as_str())?, HeaderValue::from_bytes(value)?);
        }
        builder.body(body.with_trailers(async move { Some(Ok(trailers)) }).boxed())
    }
}

async fn in_time<T>(within: Duration, work: impl Future<Output = Result<T, ClientError>>) -> Result<T, ClientError> {
    tokio::time::timeout(within, work).await.unwrap_or(Err(ClientError::Late(within)))
}

pub(crate) fn pairs(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}
