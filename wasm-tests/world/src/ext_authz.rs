//! A server of ext_authz, over gRPC (`envoy.service.auth.v3.Authorization`) and over HTTP on one port.
//!
//! A request says itself what the server does with it, in the header `x-authz`, so that a test that compares two proxies
//! sends both the same. The server remembers what it was asked, word by word.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use weir_launch::{Broken, Received, Reply, Upstream};
use weir_proto::ext_authz::{
    BoolValue, CheckRequest, CheckResponse, DeniedResponse, HeaderOption, HttpStatus, NameValue, OkResponse, RpcStatus,
};
use weir_proto::value::Kind;
use weir_proto::{Field, StructMessage, Value, decode, encode};

/// The path of the gRPC method.
const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// The server. It ends when dropped.
#[derive(Debug)]
pub struct ExtAuthz(Upstream);

/// A check as it came.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// Over gRPC: the message, and the call that brought it.
    Grpc(Box<CheckRequest>, Received),
    /// Over HTTP.
    Http(Received),
}

/// What a check is about, as far as the server needs it to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked(Vec<(String, String)>);

/// What the server says, by the words of `x-authz`, separated by semicolons:
///
/// | word | meaning |
/// | --- | --- |
/// | `allow`, `deny STATUS`, `error STATUS` | the answer; without one it allows |
/// | `delay MILLIS` | after so long |
/// | `garbage`, `reset`, `grpc STATUS`, `http STATUS` | no answer but bytes, a broken connection, or that status |
/// | `body TEXT` | of a refusal |
/// | `header NAME=VALUE`, `header+`, `header?`, `header!`, `append` | a header of the answer, in gRPC with an action: set, add, if absent, if present; or with the older `append` |
/// | `response NAME=VALUE`, `response+` | in gRPC, a header for the response of what is allowed |
/// | `remove NAME` | a header that is taken away |
/// | `metadata NAME=VALUE`, `older` | in gRPC, dynamic metadata of the answer, or of what is allowed, as it was once given |
/// | `query NAME=VALUE`, `unquery NAME` | in gRPC, an edit of the query |
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Says {
    words: Vec<(String, String)>,
}

impl ExtAuthz {
    /// Starts one on 127.0.0.1.
    ///
    /// # Errors
    /// When the system refuses a port or a thread.
    pub fn start() -> io::Result<Self> {
        Upstream::start(0, answer).map(Self)
    }

    /// The same on a port of the caller's choice.
    ///
    /// # Errors
    /// When the port is in use.
    pub fn start_on(port: u16) -> io::Result<Self> {
        Upstream::start(port, answer).map(Self)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// What it was asked so far.
    #[must_use]
    pub fn checks(&self) -> Vec<Check> {
        self.0.received().into_iter().map(Check::of).collect()
    }

    /// Forgets what it was asked.
    pub fn forget(&self) {
        self.0.forget();
    }
}

fn is_grpc(request: &Received) -> bool {
    request.path == CHECK
}

/// The message of a unary call: five bytes before it say its length.
fn message(body: &[u8]) -> Option<CheckRequest> {
    decode(body.get(5..)?)
}

fn answer(request: &Received) -> Reply {
    let says = Says::of(&Asked::of(request));
    let reply = if is_grpc(request) { says.over_grpc() } else { says.over_http() };
    let delay = says.value("delay").and_then(|millis| millis.parse().ok()).unwrap_or(0);
    let broken = says.value("reset").map(|_| Broken::BeforeHeaders);
    Reply { delay: Duration::from_millis(delay), broken, ..reply }
}

impl Check {
    fn of(received: Received) -> Self {
        match message(&received.body).filter(|_| is_grpc(&received)) {
            Some(check) => Self::Grpc(Box::new(check), received),
            None => Self::Http(received),
        }
    }
}

impl Asked {
    fn of(request: &Received) -> Self {
        let http =
            message(&request.body).filter(|_| is_grpc(request)).and_then(|check| check.attributes?.request?.http);
        Self(match http {
            Some(http) => http.headers.into_iter().map(|NameValue { key, value }| (key, value)).collect(),
            None => {
                let text =
                    |(name, value): &(String, Vec<u8>)| (name.clone(), String::from_utf8_lossy(value).into_owned());
                request.headers.iter().map(text).collect()
            }
        })
    }
}

impl Says {
    fn of(asked: &Asked) -> Self {
        let text = asked.0.iter().find(|(name, _)| name == "x-authz").map_or("", |(_, value)| value);
        let word = |word: &str| {
            let word = word.trim();
            let (name, value) = word.split_once(' ').unwrap_or((word, ""));
            (name.to_owned(), value.to_owned())
        };
        Self { words: text.split(';').map(word).collect() }
    }

    fn value(&self, word: &str) -> Option<&str> {
        self.values(word).next()
    }

    fn values<'s, 'w>(&'s self, word: &'w str) -> impl Iterator<Item = &'s str> + use<'s, 'w> {
        self.words.iter().filter(move |(name, _)| name == word).map(|(_, value)| value.as_str())
    }

    /// Headers of the answer by the word for them.
    fn headers<'s, 'w>(&'s self, word: &'w str) -> impl Iterator<Item = (String, String)> + use<'s, 'w> {
        let pairs = self.values(word).filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))
    }

    fn options(&self, words: &[(&str, Option<bool>, i32)]) -> Vec<HeaderOption> {
        let mut options = Vec::new();
        for (word, append, append_action) in words {
            options.extend(self.headers(word).map(|(key, value)| HeaderOption {
                header: Some(NameValue { key, value }),
                append: append.map(|value| BoolValue { value }),
                append_action: *append_action,
            }));
        }
        options
    }

    /// Texts of metadata by the word for them.
    fn metadata(&self, word: &str) -> Option<StructMessage> {
        let field = |(key, value)| Field { key, value: Some(Value { kind: Some(Kind::Text(value)) }) };
        let fields: Vec<Field> = self.headers(word).map(field).collect();
        (!fields.is_empty()).then_some(StructMessage { fields })
    }

    fn body(&self) -> String {
        self.value("body").unwrap_or_default().to_owned()
    }

    fn over_grpc(&self) -> Reply {
        let framed = |message: Vec<u8>| {
            let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
            [&[0][..], &length, &message].concat()
        };
        let reply = |body: Vec<u8>, status: &str| Reply {
            status: 200,
            headers: vec![("content-type".to_owned(), b"application/grpc".to_vec())],
            body,
            trailers: vec![("grpc-status".to_owned(), status.as_bytes().to_vec())],
            ..Reply::default()
        };
        if self.value("garbage").is_some() {
            return reply(framed(b"\xff\xff\xff".to_vec()), "0");
        }
        if let Some(status) = self.value("grpc") {
            return reply(Vec::new(), status);
        }
        let headers = self.options(&[
            ("header", None, 2),
            ("header+", None, 0),
            ("header?", None, 1),
            ("header!", None, 3),
            ("append", Some(true), 0),
            ("noappend", Some(false), 0),
        ]);
        let refusal = |status: &str| {
            let code = status.parse().unwrap_or(0);
            Some(DeniedResponse { status: Some(HttpStatus { code }), headers: headers.clone(), body: self.body() })
        };
        let code = |code| Some(RpcStatus { code });
        let response = match (self.value("deny"), self.value("error")) {
            (Some(status), _) => CheckResponse { status: code(7), denied: refusal(status), ..CheckResponse::default() },
            (None, Some(status)) => {
                CheckResponse { status: code(13), error: refusal(status), ..CheckResponse::default() }
            }
            (None, None) => {
                let pair = |(key, value)| NameValue { key, value };
                let ok = OkResponse {
                    headers,
                    headers_to_remove: self.values("remove").map(str::to_owned).collect(),
                    response_headers: self.options(&[
                        ("response", None, 2),
                        ("response+", None, 0),
                        ("response?", None, 1),
                        ("response!", None, 3),
                    ]),
                    query_to_set: self.headers("query").map(pair).collect(),
                    query_to_remove: self.values("unquery").map(str::to_owned).collect(),
                    dynamic_metadata: self.metadata("older"),
                };
                CheckResponse { status: code(0), ok: Some(ok), ..CheckResponse::default() }
            }
        };
        let response = CheckResponse { dynamic_metadata: self.metadata("metadata"), ..response };
        reply(framed(encode(&response)), "0")
    }

    fn over_http(&self) -> Reply {
        let status = ["http", "deny", "error"].into_iter().find_map(|word| self.value(word));
        let pair = |(name, value): (String, String)| (name, value.into_bytes());
        let removed: Vec<&str> = self.values("remove").collect();
        let removed = (!removed.is_empty())
            .then(|| ("x-envoy-auth-headers-to-remove".to_owned(), removed.join(", ").into_bytes()));
        Reply {
            status: status.and_then(|status| status.parse().ok()).unwrap_or(200),
            headers: self.headers("header").map(pair).chain(removed).collect(),
            body: self.body().into_bytes(),
            ..Reply::default()
        }
    }
}
