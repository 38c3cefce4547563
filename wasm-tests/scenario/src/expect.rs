//! What must come of one exchange.

use crate::Bytes;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// A check of one text. Written as plain text (equal), or as a map with one of the keys below.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "TextAsWritten")]
pub enum Text {
    /// Equal, byte for byte.
    Equal(Bytes),
    /// `contains`
    Contains(Bytes),
    /// `startsWith`
    StartsWith(Bytes),
    /// `between: [low, high]`: a decimal number within the two, both included.
    Between(u64, u64),
    /// `oneOf`
    OneOf(Vec<Bytes>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TextAsWritten {
    Map(TextMap),
    Plain(Bytes),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TextMap {
    equal: Option<Bytes>,
    contains: Option<Bytes>,
    starts_with: Option<Bytes>,
    between: Option<(u64, u64)>,
    one_of: Option<Vec<Bytes>>,
}

impl TryFrom<TextAsWritten> for Text {
    type Error = &'static str;

    fn try_from(written: TextAsWritten) -> Result<Self, Self::Error> {
        let TextMap { equal, contains, starts_with, between, one_of } = match written {
            TextAsWritten::Plain(bytes) => return Ok(Text::Equal(bytes)),
            TextAsWritten::Map(map) => map,
        };
        match (equal, contains, starts_with, between, one_of) {
            (Some(text), None, None, None, None) => Ok(Text::Equal(text)),
            (None, Some(text), None, None, None) => Ok(Text::Contains(text)),
            (None, None, Some(text), None, None) => Ok(Text::StartsWith(text)),
            (None, None, None, Some((low, high)), None) => Ok(Text::Between(low, high)),
            (None, None, None, None, Some(texts)) => Ok(Text::OneOf(texts)),
            _ => Err("expected one of `equal`, `contains`, `startsWith`, `between` and `oneOf`"),
        }
    }
}

impl Status {
    /// Whether a status passes.
    #[must_use]
    pub fn accepts(&self, actual: u16) -> bool {
        match self {
            Status::One(status) => *status == actual,
            Status::OneOf(statuses) => statuses.contains(&actual),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::One(status) => write!(f, "{status}"),
            Status::OneOf(statuses) => write!(f, "one of {statuses:?}"),
        }
    }
}

impl Text {
    /// Whether a text passes.
    #[must_use]
    pub fn accepts(&self, actual: &[u8]) -> bool {
        match self {
            Text::Equal(text) => actual == text.as_slice(),
            Text::Contains(text) => {
                text.0.is_empty() || actual.windows(text.0.len()).any(|window| window == text.as_slice())
            }
            Text::StartsWith(text) => actual.starts_with(text.as_slice()),
            Text::Between(low, high) => std::str::from_utf8(actual)
                .ok()
                .and_then(|text| text.parse::<u64>().ok())
                .is_some_and(|number| (*low..=*high).contains(&number)),
            Text::OneOf(texts) => texts.iter().any(|text| text.as_slice() == actual),
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Text::Equal(text) => write!(f, "`{text}`"),
            Text::Contains(text) => write!(f, "something with `{text}`"),
            Text::StartsWith(text) => write!(f, "something beginning with `{text}`"),
            Text::Between(low, high) => write!(f, "a number from {low} to {high}"),
            Text::OneOf(texts) => write!(f, "one of {texts:?}"),
        }
    }
}

/// A check of the response's status.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Status {
    /// This status.
    One(u16),
    /// One of these; 0 stands for no response at all.
    OneOf(Vec<u16>),
}

/// A check of one header's values.
pub type HeaderCheck = Text;

/// Checks of headers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct HeaderChecks {
    /// Names that must be there.
    pub present: Vec<String>,
    /// Names that must not.
    pub absent: Vec<String>,
    /// Some value of the name must pass.
    pub values: BTreeMap<String, HeaderCheck>,
}

/// A check of a body.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "BodyAsWritten")]
pub enum Body {
    /// As for other texts.
    Text(Text),
    /// So many bytes.
    Size(usize),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum BodyAsWritten {
    Size(BodySize),
    Text(Text),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BodySize {
    size: usize,
}

impl From<BodyAsWritten> for Body {
    fn from(written: BodyAsWritten) -> Self {
        match written {
            BodyAsWritten::Size(BodySize { size }) => Body::Size(size),
            BodyAsWritten::Text(text) => Body::Text(text),
        }
    }
}

/// What must come of one exchange. What is absent is not checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Expect {
    /// Status; 0 stands for no response at all.
    pub status: Option<Status>,
    /// Whether the response broke off: reset, closed early, or late.
    pub broken: Option<bool>,
    /// Response headers.
    pub headers: HeaderChecks,
    /// Body.
    pub body: Option<Body>,
    /// Response trailers.
    pub trailers: HeaderChecks,
    /// `grpc-status`, from the trailers or, where there are none, from the headers.
    pub grpc_status: Option<u32>,
    /// `grpc-message`, likewise.
    pub grpc_message: Option<Text>,
    /// Envoy's response code details, from the access log.
    pub details: Option<Text>,
    /// Envoy's response flags, from the access log; `-` for none.
    pub flags: Option<Text>,
    /// Whether the upstream saw the request.
    pub upstream_saw: Option<bool>,
    /// Path with query as the upstream saw it.
    pub upstream_path: Option<Text>,
    /// Request headers as the upstream saw them.
    pub upstream_headers: HeaderChecks,
    /// How many bytes of the request's body the upstream got; what goes through a tunnel is not counted.
    pub upstream_body_size: Option<usize>,
    /// Request trailers as the upstream saw them.
    pub upstream_trailers: HeaderChecks,
    /// Filter state `wasm.weir.policy`, from the access log; `-` where there is none.
    pub policy: Option<Text>,
    /// Filter state `wasm.weir.rate_limit`, from the access log; `-` where there is none.
    pub rate_limit: Option<Text>,
    /// Filter state `wasm.weir.authz_metadata`, from the access log; `-` where there is none.
    pub authz_metadata: Option<Text>,
    /// How many lines the access log has of the request.
    pub records: Option<Text>,
}
