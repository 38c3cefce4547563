//! A request as a client sends it.

use crate::{Bytes, Fields, Span, jwt};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::net::SocketAddr;

/// How the client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Protocol {
    /// HTTP/1.1
    #[default]
    H1,
    /// HTTP/2, with prior knowledge or ALPN.
    H2,
    /// The bytes of `raw` as they are, on a connection of their own; the first response is read as HTTP/1.x.
    Raw,
    /// A connection that is not HTTP, at a proxy with `tcp`. The client waits for the `greeting`, sends `raw`, waits until as
    /// much has come back, and closes its side. What came is the response's body.
    Tcp,
}

/// Who the client is, where the listener speaks TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Client {
    /// No TLS. The default where the listener is plain or permissive.
    #[default]
    Plain,
    /// TLS with a certificate whose one URI SAN is this.
    Identity(String),
    /// TLS with a certificate that has these URI SANs.
    Identities(Vec<String>),
    /// TLS with a certificate that has these URI SANs and these DNS SANs.
    Names {
        /// URI SANs.
        uris: Vec<String>,
        /// DNS SANs.
        dns: Vec<String>,
    },
}

impl Client {
    /// The URI SANs of its certificate; `None` where it has none.
    #[must_use]
    pub fn uris(&self) -> Option<&[String]> {
        match self {
            Self::Plain => None,
            Self::Identity(uri) => Some(std::slice::from_ref(uri)),
            Self::Identities(uris) | Self::Names { uris, .. } => Some(uris),
        }
    }

    /// The DNS SANs of its certificate.
    #[must_use]
    pub fn dns(&self) -> &[String] {
        match self {
            Self::Names { dns, .. } => dns,
            Self::Plain | Self::Identity(_) | Self::Identities(_) => &[],
        }
    }
}

/// Where a connection says it is from and to, in a PROXY protocol header. Both are of the same family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Addresses {
    /// The client's address.
    pub source: SocketAddr,
    /// The address that the client connected to.
    pub destination: SocketAddr,
}

impl Addresses {
    /// The header of version 1, as a client sends it ahead of everything else.
    ///
    /// ```
    /// # use weir_scenario::Addresses;
    /// let both = Addresses { source: "10.0.0.1:40000".parse()?, destination: "10.0.0.9:80".parse()? };
    /// assert_eq!(both.header(), "PROXY TCP4 10.0.0.1 10.0.0.9 40000 80\r\n");
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub fn header(&self) -> String {
        let Self { source, destination } = self;
        let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
        let (from, to) = (source.ip(), destination.ip());
        format!("PROXY {family} {from} {to} {} {}\r\n", source.port(), destination.port())
    }
}

/// When the client gives up: it resets the stream (HTTP/2) or closes the connection (HTTP/1.1, raw).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Abort {
    /// After the request's headers, before its body.
    AfterHeaders,
    /// After half of the request's body.
    MidBody,
    /// After the whole request, before the response.
    BeforeResponse,
}

/// What follows the headers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Payload {
    /// No body.
    #[default]
    None,
    /// These bytes.
    Bytes(Bytes),
    /// So many bytes of `x`.
    Size(usize),
}

impl Payload {
    /// The bytes to send.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        match self {
            Payload::None => Vec::new(),
            Payload::Bytes(bytes) => bytes.0.clone(),
            Payload::Size(size) => vec![b'x'; *size],
        }
    }
}

/// The request. `authority` and `path` are sent as they are, with no escaping or check by the client where it can be
/// helped; a gateway whose HTTP/1.1 client library refuses a request writes it by hand.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Request {
    /// How the client speaks.
    pub protocol: Protocol,
    /// Method.
    pub method: String,
    /// Request target, with its query.
    pub path: Bytes,
    /// `Host` or `:authority`; `example.com` when absent. `omitAuthority` sends none.
    pub authority: Bytes,
    /// Send no `Host` and no `:authority`.
    pub omit_authority: bool,
    /// Headers, in order.
    pub headers: Fields,
    /// `x-forwarded-for`, added last; absent when empty.
    pub xff: String,
    /// The claims of a JWT that it carries, at a proxy with `jwtAuthn`; the header is added last.
    pub jwt: Option<Map<String, Value>>,
    /// Body.
    pub body: Payload,
    /// Trailers (HTTP/2 only).
    pub trailers: Fields,
    /// Who the client is.
    pub client: Client,
    /// The server name that it asks for in TLS; `proxy` when empty.
    pub sni: String,
    /// Where its connection says it is from and to, at a listener with `proxyProtocol`.
    pub addresses: Option<Addresses>,
    /// When it gives up.
    pub abort: Option<Abort>,
    /// The worker that should take it, from 0. The in-process host obeys; a real Envoy takes it as a wish for a new
    /// connection and lets the kernel choose.
    pub worker: Option<u32>,
    /// The bytes of a `raw` request, or what the client sends on a `tcp` connection; none, if it only closes its side.
    pub raw: Bytes,
    /// What the client of a `tcp` connection waits for before it sends.
    pub greeting: Bytes,
    /// What the client sends once its upgrade or CONNECT is accepted (HTTP/1.1 only). The response lasts until the
    /// connection ends.
    pub tunnel: Bytes,
    /// How long the client waits for the whole response; 5 s when absent.
    pub timeout: Option<Span>,
}

impl Default for Request {
    fn default() -> Self {
        Request {
            protocol: Protocol::default(),
            method: "GET".to_owned(),
            path: Bytes::from("/"),
            authority: Bytes::from("example.com"),
            omit_authority: false,
            headers: Fields::default(),
            xff: String::new(),
            jwt: None,
            body: Payload::default(),
            trailers: Fields::default(),
            client: Client::default(),
            sni: String::new(),
            addresses: None,
            abort: None,
            worker: None,
            raw: Bytes::default(),
            greeting: Bytes::default(),
            tunnel: Bytes::default(),
            timeout: None,
        }
    }
}

impl Request {
    /// The headers to send, those of `xff` and `jwt` included, without authority and pseudo-headers.
    #[must_use]
    pub fn all_headers(&self) -> Vec<(Bytes, Bytes)> {
        let mut headers = self.headers.0.clone();
        if !self.xff.is_empty() {
            headers.push((Bytes::from("x-forwarded-for"), Bytes::from(self.xff.as_str())));
        }
        if let Some(claims) = &self.jwt {
            let value = format!("Bearer {}", jwt::signed(claims));
            headers.push((Bytes::from("authorization"), Bytes::from(value.as_str())));
        }
        headers
    }

    /// The request with every `{{n}}` in its path, its authority and its header values replaced by a number.
    #[must_use]
    pub fn numbered(&self, number: u32) -> Request {
        let mut request = self.clone();
        let number = number.to_string();
        let values = request.headers.0.iter_mut().map(|(_, value)| value);
        for bytes in values.chain([&mut request.path, &mut request.authority]) {
            if let Ok(text) = std::str::from_utf8(bytes.as_slice())
                && text.contains("{{n}}")
            {
                *bytes = Bytes::from(text.replace("{{n}}", &number).as_str());
            }
        }
        request
    }

    /// How much the client of a `tcp` connection waits for, from a server that sends back what it gets.
    #[must_use]
    pub fn awaited(&self) -> usize {
        self.greeting.0.len() + self.raw.0.len()
    }

    /// The request in one line, for reports.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = match self.protocol {
            Protocol::Raw => format!("raw {}", self.raw),
            Protocol::Tcp => format!("a connection that sends `{}`", self.raw),
            Protocol::H1 => format!("{} {} ({}, h1)", self.method, self.path, self.authority),
            Protocol::H2 => format!("{} {} ({}, h2)", self.method, self.path, self.authority),
        };
        if let Some(uris) = self.client.uris() {
            line.push_str(" as ");
            line.push_str(&[uris, self.client.dns()].concat().join(", "));
        }
        line
    }
}
