//! What a line says of a request.

use super::header::{Header, Known};
use super::json::Json;
use super::live::Live;
use super::operator::{Operator, Says};
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use weir_model::StructValue;

mod facts;
mod knowledge;

/// A value as a line has it.
#[derive(Clone, Debug)]
pub(crate) enum Given<'l> {
    /// In a format of text, where an absent value is a `-`, or nothing.
    Text(&'l [u8]),
    Json(Json<'l>),
}

impl<'l> Given<'l> {
    pub(super) fn of_text(text: &'l [u8]) -> Self {
        Self::Text(text)
    }

    fn known(self) -> Known<'l> {
        match self {
            Self::Text(text @ (b"" | b"-")) => Known::Perhaps(Cow::Borrowed(text)),
            Self::Text(text) => Known::Value(Cow::Borrowed(text)),
            Self::Json(Json::Null) => Known::Absent,
            // Older Envoys write it in JSON too.
            Self::Json(Json::Text(text)) if *text == *b"-" => Known::Perhaps(text),
            Self::Json(Json::Text(text)) => Known::Value(text),
            Self::Json(Json::Number(digits)) => Known::Value(Cow::Borrowed(digits)),
            Self::Json(Json::Bool(_) | Json::Doubtful(_) | Json::List(_) | Json::Map(_)) => Known::Unknown,
        }
    }
}

/// An address, and the port where it has one.
type Place = (IpAddr, Option<u16>);

/// Names that lead to a value.
type Names = Box<[Box<str>]>;

/// What a line says of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record<'l> {
    pub(crate) method: Known<'l>,
    pub(crate) path: Known<'l>,
    original_path: Known<'l>,
    pub(crate) host: Known<'l>,
    pub(crate) server_name: Known<'l>,
    /// Whether [`Self::server_name`] may have `_` for other bytes.
    is_clean_name: bool,
    pub(crate) headers: Vec<(Box<str>, Header<'l>)>,
    remote: Known<'l>,
    direct: Known<'l>,
    local: Known<'l>,
    local_port: Known<'l>,
    pub(crate) uri_sans: Known<'l>,
    dns_sans: Known<'l>,
    subject: Known<'l>,
    pub(crate) peer_principal: Known<'l>,
    pub(crate) tls_version: Known<'l>,
    /// Claims by the names that lead to them, as far as the line has them; one without a name is all of them.
    claims: Vec<(Vec<String>, StructValue)>,
    metadata: Vec<(Box<str>, Names, StructValue)>,
    pub(crate) code: Known<'l>,
    pub(crate) details: Known<'l>,
    pub(crate) upstream_host: Known<'l>,
    pub(crate) upstream_cluster: Known<'l>,
    pub(crate) time: Known<'l>,
    pub(crate) decision: Known<'l>,
    pub(crate) mode: Known<'l>,
    pub(crate) reason: Known<'l>,
    pub(crate) policy: Known<'l>,
    pub(crate) rule: Known<'l>,
    /// Whether the peer has shown a certificate, if the line says so in a word.
    pub(crate) is_mutual: Option<bool>,
    /// It is of the same request as an earlier line.
    pub(crate) repeats: bool,
    pub(crate) remote_address: Option<Place>,
    pub(crate) direct_address: Option<Place>,
    pub(crate) local_address: Option<Place>,
}

impl<'l> Record<'l> {
    /// Takes what an operator has written.
    pub(super) fn take(&mut self, operator: &Operator, given: Given<'l>) {
        let to = match &operator.says {
            Says::Other => return,
            Says::Claim(path) => {
                let names: Vec<&str> = path.iter().map(|name| &**name).collect();
                if let Given::Json(value) = given {
                    self.take_claim(&names, value);
                }
                return;
            }
            Says::Metadata(filter, path) => {
                if let Given::Json(value) = given
                    && !has_doubt(&value)
                {
                    self.metadata.push((filter.clone(), path.clone(), structure(value)));
                }
                return;
            }
            Says::Header(name) => match self.header(name) {
                Some(header) => &mut header.first,
                None => return,
            },
            Says::JoinedHeader(name) => match self.header(name) {
                Some(header) => &mut header.joined,
                None => return,
            },
            Says::OriginalPathOrPath | Says::Path => &mut self.path,
            Says::CleanServerName => {
                self.is_clean_name = true;
                &mut self.server_name
            }
            Says::ServerName => {
                self.is_clean_name = false;
                &mut self.server_name
            }
            Says::Method => &mut self.method,
            Says::OriginalPath => &mut self.original_path,
            Says::Host => &mut self.host,
            Says::RemoteAddress => &mut self.remote,
            Says::DirectAddress => &mut self.direct,
            Says::LocalAddress => &mut self.local,
            Says::LocalPort => &mut self.local_port,
            Says::UriSans => &mut self.uri_sans,
            Says::DnsSans => &mut self.dns_sans,
            Says::Subject => &mut self.subject,
            Says::PeerPrincipal => &mut self.peer_principal,
            Says::TlsVersion => &mut self.tls_version,
            Says::Code => &mut self.code,
            Says::Details => &mut self.details,
            Says::UpstreamHost => &mut self.upstream_host,
            Says::UpstreamCluster => &mut self.upstream_cluster,
            Says::Time => &mut self.time,
            Says::Decision => &mut self.decision,
            Says::Mode => &mut self.mode,
            Says::Reason => &mut self.reason,
            Says::Policy => &mut self.policy,
            Says::Rule => &mut self.rule,
        };
        let known = given.known();
        // What is as long as it may be may have been longer.
        let is_cut = operator.limit.is_some_and(|limit| known.value().is_some_and(|value| value.len() >= limit));
        *to = if is_cut { Known::Unknown } else { known };
    }

    /// Takes a claim by the names that lead to it. Without a name it is all claims, and null says that there is
    /// no JWT.
    pub(super) fn take_claim(&mut self, names: &[&str], value: Json<'l>) {
        if has_doubt(&value) {
            return;
        }
        self.claims.push((names.iter().map(|name| (*name).to_owned()).collect(), structure(value)));
    }

    /// Takes the values of a header one by one, null where there are none; that many are some of them.
    pub(super) fn take_values(&mut self, name: &str, value: &Json<'l>, most: usize) {
        let values = super::audit::texts(value);
        let is_known = !values.is_empty() || *value == Json::Null;
        let Some(header) = self.header(&name.to_ascii_lowercase()).filter(|_| is_known) else { return };
        *header = if values.len() < most { Header::of(values) } else { Header::beginning(values) };
    }

    fn header(&mut self, name: &str) -> Option<&mut Header<'l>> {
        let at = self.headers.iter().position(|(known, _)| &**known == name).unwrap_or_else(|| {
            self.headers.push((name.into(), Header::default()));
            self.headers.len() - 1
        });
        self.headers.get_mut(at).map(|(_, header)| header)
    }

    /// Reads what is written otherwise than it is compared.
    ///
    /// # Errors
    /// If an address is none.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        // A rewriting route sets it, and then the filter has seen it; but a client can send it too.
        if self.original_path.value().is_some_and(|original| self.path.value() != Some(original)) {
            self.path = Known::Unknown;
        }
        if self.is_clean_name && self.server_name.value().is_some_and(|name| name.contains(&b'_')) {
            self.server_name = match std::mem::take(&mut self.server_name) {
                // What such a name was is not known, but who writes it so is.
                Known::Value(name) => Known::Perhaps(name),
                known => known,
            };
        }
        // An expression has the empty text where there is none.
        if self.server_name.value().is_some_and(<[u8]>::is_empty) {
            self.server_name = Known::Absent;
        }
        self.remote_address = place(&self.remote, "downstream_remote_address")?;
        self.direct_address = place(&self.direct, "downstream_direct_remote_address")?;
        self.local_address = place(&self.local, "downstream_local_address")?;
        let port = self.local_port.value().and_then(|port| std::str::from_utf8(port).ok()?.parse().ok());
        if let (Some((_, known)), Some(port)) = (&mut self.local_address, port) {
            *known = Some(port);
        }
        Ok(())
    }

    /// Whether it is of an HTTP request: connections, and what the codec refuses, have neither method nor path.
    pub(crate) fn is_request(&self) -> bool {
        let is_absent = |known: &Known<'_>| matches!(known, Known::Absent | Known::Perhaps(_));
        match (&self.method, &self.path) {
            (Known::Absent, Known::Unknown) => false,
            (method, path) => !is_absent(method) || !is_absent(path),
        }
    }

    /// Who calls: an identity, or an address.
    pub(crate) fn caller(&self) -> String {
        let identity = self.peer_principal.value().filter(|name| !name.is_empty()).or(self.uri_sans.value());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let address = self.direct_address.or(self.remote_address);
        match (identity, address) {
            (Some(name), _) => text(name.strip_prefix(b"spiffe://").unwrap_or(name)),
            (None, Some((address, _))) => address.to_string(),
            (None, None) => "not in the log".to_owned(),
        }
    }

    /// Whether the line is of a listener for what goes out of a sidecar.
    pub(crate) fn is_outbound(&self) -> bool {
        self.upstream_cluster.value().is_some_and(|name| name.starts_with(b"outbound|"))
    }

    /// What was decided when the line was written.
    pub(crate) fn live(&self) -> Live<'_> {
        Live::of(self)
    }
}

/// A JSON value as protobuf has it.
fn structure(value: Json<'_>) -> StructValue {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match value {
        Json::Null => StructValue::Null,
        Json::Bool(bool) => StructValue::Bool(bool),
        // Never read: what has one is not taken.
        Json::Doubtful(_) => StructValue::Null,
        Json::Number(digits) => StructValue::Number(text(digits).parse().unwrap_or_default()),
        Json::Text(bytes) => StructValue::Text(text(&bytes)),
        Json::List(items) => StructValue::List(items.into_iter().map(structure).collect()),
        Json::Map(fields) => {
            StructValue::Map(fields.into_iter().map(|(name, value)| (text(&name), structure(value))).collect())
        }
    }
}

/// Whether a text inside is one of two.
fn has_doubt(value: &Json<'_>) -> bool {
    match value {
        Json::Doubtful(_) => true,
        Json::List(items) => items.iter().any(has_doubt),
        Json::Map(fields) => fields.iter().any(|(_, value)| has_doubt(value)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => false,
    }
}

/// An address, with its port or without.
fn place(known: &Known<'_>, name: &str) -> Result<Option<Place>, String> {
    let Some(text) = known.value().map(String::from_utf8_lossy) else { return Ok(None) };
    match (text.parse::<SocketAddr>(), text.parse::<IpAddr>()) {
        (Ok(address), _) => Ok(Some((address.ip(), Some(address.port())))),
        (_, Ok(address)) => Ok(Some((address, None))),
        // An internal listener's, such as that of a tunnel, is not known.
        _ if text.starts_with("envoy://") => Ok(None),
        _ => Err(format!("`{name}`: `{text}` is not an address")),
    }
}
