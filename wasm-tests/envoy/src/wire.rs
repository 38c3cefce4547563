//! A client that sends exactly what a test wants, and reports what it received, also if the response broke off.
//!
//! HTTP/1.1 is written by hand, HTTP/2 goes through the `h2` crate where that accepts the request and is written frame by
//! frame where it does not: many requests that a filter must survive come from no well-behaved client.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::runtime::{Builder, Runtime};
use weir_scenario::{Failure, Protocol, Request, Response};

mod frames;
mod h1;
mod h2;
mod tcp;
mod tls;

pub use frames::raw_http2;
pub use tls::ClientTls;

/// A byte stream in both directions.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// How long a client waits if its request has no timeout.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a client that gives up leaves the proxy to see what it sent.
pub(crate) const BEFORE_ABORT: Duration = Duration::from_millis(60);

/// Makes connections of one client to one proxy.
#[derive(Clone, Debug)]
pub struct Dialer {
    to: SocketAddr,
    from: Option<IpAddr>,
    tls: Option<ClientTls>,
}

impl Dialer {
    /// What connects to a proxy that was started elsewhere.
    #[must_use]
    pub fn new(to: SocketAddr, tls: Option<ClientTls>) -> Self {
        Self { to, from: None, tls }
    }

    /// The same from an address of this machine, such as another one of `127.0.0.0/8`.
    #[must_use]
    pub fn from(self, address: IpAddr) -> Self {
        Self { from: Some(address), ..self }
    }

    /// A connection that is good for requests like this one.
    ///
    /// # Errors
    /// When this machine fails; a refused connection shows in the responses.
    pub fn connect(&self, request: &Request) -> Result<Wire, Failure> {
        Wire::connect_as(self, request)
    }
}

/// One connection of a client.
pub struct Wire {
    runtime: Runtime,
    connection: Option<Connection>,
    port: u16,
    server_certificate: Vec<u8>,
}

enum Connection {
    H1(h1::H1),
    H2(h2::H2),
    Frames(Box<dyn Io>),
    Tcp(Box<dyn Io>),
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").field("port", &self.port).finish_non_exhaustive()
    }
}

impl Wire {
    fn connect_as(dialer: &Dialer, request: &Request) -> Result<Self, Failure> {
        let Dialer { to, from, tls } = dialer;
        let failed = |error: io::Error| Failure(format!("no event loop for a client: {error}"));
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (mut port, mut server_certificate) = (0, Vec::new());
        let opened: io::Result<Connection> = runtime.block_on(async {
            let open = async {
                let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
                if let Some(from) = from {
                    socket.bind(SocketAddr::new(*from, 0))?;
                }
                let mut tcp = socket.connect(*to).await?;
                tcp.set_nodelay(true)?;
                port = tcp.local_addr()?.port();
                if let Some(addresses) = &request.addresses {
                    tcp.write_all(addresses.header().as_bytes()).await?;
                }
                let io: Box<dyn Io> = match tls {
                    Some(tls) => {
                        let stream = tls.connect(tcp, request).await?;
                        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                        server_certificate = shown.map(|certificate| certificate.to_vec()).unwrap_or_default();
                        Box::new(stream)
                    }
                    None => Box::new(tcp),
                };
                Ok(match request.protocol {
                    Protocol::H1 | Protocol::Raw => Connection::H1(h1::H1::new(io)),
                    Protocol::H2 if h2::accepts(request) => Connection::H2(h2::H2::open(io).await?),
                    Protocol::H2 => Connection::Frames(io),
                    Protocol::Tcp => Connection::Tcp(io),
                })
            };
            tokio::time::timeout(PATIENCE, open).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
        });
        Ok(Self { connection: opened.ok(), runtime, port, server_certificate })
    }

    /// The certificate that the server has shown, as DER; empty without TLS.
    #[must_use]
    pub fn server_certificate(&self) -> &[u8] {
        &self.server_certificate
    }

    /// The client's port; 0 if it could not connect.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is open: neither broken nor closed after the last response.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.connection.is_some()
    }

    /// Whether it is good for one more request, this one, of the client and protocol that it was made for.
    #[must_use]
    pub fn takes(&self, request: &Request) -> bool {
        match &self.connection {
            Some(Connection::H1(_)) => request.protocol == Protocol::H1,
            Some(Connection::H2(_)) => h2::accepts(request),
            Some(Connection::Frames(_) | Connection::Tcp(_)) | None => false,
        }
    }

    /// Sends a request and reads the response. A request that is given up, and a response that breaks off or does not come
    /// in time, are reported by [`Response::broken`], and end the connection.
    pub fn send(&mut self, request: &Request) -> Response {
        let mut response = Response::default();
        let within = request.timeout.map_or(PATIENCE, |span| span.0);
        let Some(connection) = &mut self.connection else {
            return Response { broken: true, ..response };
        };
        let whole: io::Result<()> = self.runtime.block_on(async {
            let exchange = async {
                match connection {
                    Connection::H1(h1) => h1.send(request, &mut response).await,
                    Connection::H2(h2) => h2.send(request, &mut response).await,
                    Connection::Frames(io) => {
                        let bytes = frames::request(request);
                        frames::exchange(io, &bytes, request.abort.is_some(), &mut response).await
                    }
                    Connection::Tcp(io) => tcp::exchange(io, request, &mut response).await,
                }
            };
            tokio::time::timeout(within, exchange).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
        });
        let closes = response.headers.values("connection").any(|value| value.0.eq_ignore_ascii_case(b"close"))
            || request.protocol == Protocol::Tcp;
        if whole.is_err() || closes {
            response.broken = whole.is_err();
            self.connection = None;
            // What was dropped with the connection (a reset, a close) is sent by the event loop.
            self.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(5)).await });
        }
        response
    }
}

/// The error that ends a client on request.
pub(crate) fn ended_early() -> io::Error {
    io::Error::new(io::ErrorKind::Interrupted, "the client ended early")
}
