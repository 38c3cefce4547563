//! A request as `weir explain` takes it, and as the filter would see it.

mod facts;

use super::log;
use crate::Failure;
use crate::log::{JWT_FILTER, JWT_PAYLOAD};
use crate::tree::Tree;
use clap::ValueEnum;
use facts::RequestFacts;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use weir_config::{Cursor, Value, read_document};
use weir_model::{Attribute, Attributes, PairsBuilder, Struct, StructValue};
use weir_policy::{CelOutcome, Explainer, Knowledge, RequestField};

/// Claims that Envoy's JWT filter takes apart at spaces, as Istio configures it.
const SPACE_DELIMITED: [&str; 2] = ["scope", "permission"];

/// What a request speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    #[default]
    Http,
    Grpc,
    /// A connection that is not HTTP.
    Tcp,
}

impl Protocol {
    /// What decides about it.
    pub(super) fn decided_as(self) -> weir_policy::Protocol {
        match self {
            Self::Http | Self::Grpc => weir_policy::Protocol::Http,
            Self::Tcp => weir_policy::Protocol::Tcp,
        }
    }
}

/// A request. What is `None` is absent, unless `known` says otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Request {
    pub(super) protocol: Protocol,
    pub(super) method: Option<String>,
    pub(super) scheme: Option<String>,
    pub(super) host: Option<String>,
    pub(super) path: Option<String>,
    /// In lower case, in their order.
    pub(super) headers: Vec<(String, String)>,
    pub(super) source_ip: Option<IpAddr>,
    pub(super) direct_ip: Option<IpAddr>,
    /// With its scheme; where there are several, all of them joined by commas.
    pub(super) principal: Option<String>,
    /// Whether it is several, of which a filter sees the first unless `peerUriSans` is configured.
    has_several_names: bool,
    pub(super) destination_ip: Option<IpAddr>,
    pub(super) port: Option<u16>,
    pub(super) sni: Option<String>,
    claims: Option<Struct>,
    metadata: Vec<(String, Struct)>,
    /// What expressions in CEL come to, by their texts.
    expressions: BTreeMap<String, CelOutcome>,
    /// What is known where the request is from a record; `None` if all is.
    known: Option<BTreeSet<RequestField>>,
    /// What is known in part.
    partly: BTreeMap<RequestField, Knowledge>,
    /// Where it is from a record: what was answered, and whether it is of an outbound listener.
    pub(super) recorded: Option<String>,
    pub(super) is_outbound: bool,
}

/// Reads the only request of a text, which may also be a line of an access log.
///
/// # Errors
/// Everything that is wrong, each thing with its place.
pub(super) fn read(name: &str, text: String) -> Result<Request, Failure> {
    let unusable = |lines: String| Failure::Use(format!("the request cannot be used:\n{lines}"));
    if log::is_text(&text) {
        return log::read(text.trim()).map_err(|problem| unusable(format!("{name}: {problem}")));
    }
    let tree = Tree::one(name, text).map_err(|failure| match failure {
        Failure::No(line) => unusable(line),
        failure => failure,
    })?;
    let json = tree.value.to_string();
    of_json(&json).map_err(|problems| {
        let lines = problems.iter().map(|(path, message)| tree.origin.error(path, message.as_str()));
        unusable(lines.collect::<Vec<_>>().join("\n"))
    })
}

/// Reads a request from JSON, which may be a line of an access log.
///
/// # Errors
/// Everything that is wrong, each thing with its path.
pub(super) fn of_json(json: &str) -> Result<Request, Vec<(String, String)>> {
    if log::is_json(json) {
        return log::read(json).map_err(|problem| vec![("$".to_owned(), problem)]);
    }
    let read = read_document(json.as_bytes(), |at| request(&at));
    read.map_err(|problems| problems.0.into_iter().map(|problem| (problem.path, problem.message)).collect())
}

fn request(at: &Cursor<'_>) -> Option<Request> {
    let mut fields = at.object()?;
    let words = [("http", Protocol::Http), ("grpc", Protocol::Grpc), ("tcp", Protocol::Tcp)];
    let protocol = fields.take("protocol").and_then(|at| at.word(&words));
    let mut text = |name: &'static str| fields.take(name).and_then(|at| Some(at.text()?.to_owned()));
    let [method, scheme] = ["method", "scheme"].map(&mut text);
    let host = fields.take("host").and_then(|at| match at.value() {
        // Envoy takes an empty one.
        Value::String(host) if host.is_empty() => Some(String::new()),
        _ => Some(at.text()?.to_owned()),
    });
    let path = fields.take("path").and_then(|at| match at.text()? {
        path if path.starts_with('/') || path == "*" => Some(path.to_owned()),
        _ => at.problem("expected a path that begins with `/`"),
    });
    let headers = fields.take("headers").map(|at| headers(&at)).unwrap_or_default();
    let mut request = Request { method, scheme, host, path, headers, ..Request::default() };
    request.protocol = protocol.unwrap_or_default();
    if let Some(mut source) = fields.take("source").and_then(|at| at.object()) {
        request.source_ip = source.take("ip").and_then(|at| address(&at));
        request.direct_ip = source.take("directIp").and_then(|at| address(&at));
        if let Some(at) = source.take("principal") {
            request.has_several_names = matches!(at.value(), Value::Array(_));
            request.principal = principals(&at);
        }
        source.finish();
    }
    if let Some(mut destination) = fields.take("destination").and_then(|at| at.object()) {
        request.destination_ip = destination.take("ip").and_then(|at| address(&at));
        let port = destination.take("port").and_then(|at| at.integer(0, u16::MAX.into()));
        request.port = port.and_then(|port| u16::try_from(port).ok());
        destination.finish();
    }
    request.sni = fields.take("sni").and_then(|at| Some(at.text()?.to_owned()));
    if let Some(mut jwt) = fields.take("jwt").and_then(|at| at.object()) {
        request.claims = jwt.require("claims").and_then(|at| structure(&at));
        jwt.finish();
    }
    for (filter, at) in fields.take("metadata").and_then(|at| at.map()).unwrap_or_default() {
        request.metadata.extend(structure(&at).map(|fields| (filter.to_owned(), fields)));
    }
    for (text, at) in fields.take("expressions").and_then(|at| at.map()).unwrap_or_default() {
        let outcome = match at.value() {
            Value::Bool(true) => CelOutcome::True,
            Value::Bool(false) => CelOutcome::False,
            Value::Null => CelOutcome::Error,
            _ => {
                at.problem::<()>("expected true, false, or null for an expression that fails");
                continue;
            }
        };
        request.expressions.insert(text.to_owned(), outcome);
    }
    fields.finish();
    if let Some(field) = request.of_requests_alone() {
        at.problem::<()>(format!("a connection (`protocol: tcp`) has no {field}: leave it out"));
    }
    Some(request)
}

fn headers(at: &Cursor<'_>) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    for (name, at) in at.map().unwrap_or_default() {
        if name.starts_with(':') || name.eq_ignore_ascii_case("host") {
            at.problem::<()>("write `method`, `scheme`, `host` or `path` of the request for it");
            continue;
        }
        let value = |at: &Cursor<'_>| match at.value() {
            Value::String(text) => Some(text.to_string()),
            _ => at.problem("expected a string: put quotation marks around the value"),
        };
        let values = match at.value() {
            Value::Array(_) => at.each(|item| value(&item)),
            _ => value(&at).into_iter().collect(),
        };
        headers.extend(values.into_iter().map(|value| (name.to_ascii_lowercase(), value)));
    }
    headers
}

/// A name, or a list of names as they are handed over: joined by commas.
fn principals(at: &Cursor<'_>) -> Option<String> {
    let name = |at: &Cursor<'_>| Some(Request::spiffe(at.text()?));
    if !matches!(at.value(), Value::Array(_)) {
        return name(at);
    }
    let names = at.each(|at| match name(&at)? {
        name if name.contains(',') => at.problem("Envoy joins several names with commas, so that none can have one"),
        name => Some(name),
    });
    (!names.is_empty()).then(|| names.join(","))
}

fn address(at: &Cursor<'_>) -> Option<IpAddr> {
    let text = at.text()?;
    match text.parse() {
        Ok(address) => Some(address),
        Err(_) => at.problem(format!("`{text}` is not an IP address")),
    }
}

fn structure(at: &Cursor<'_>) -> Option<Struct> {
    at.map()?;
    match value(at.value()) {
        StructValue::Map(fields) => Some(fields),
        _ => None,
    }
}

/// A JSON value as protobuf has it.
fn value(json: &Value) -> StructValue {
    match json {
        Value::Null => StructValue::Null,
        Value::Bool(bool) => StructValue::Bool(*bool),
        Value::Number(number) => StructValue::Number(number.as_f64().unwrap_or_default()),
        Value::String(text) => StructValue::Text(text.to_string()),
        Value::Array(items) => StructValue::List(items.iter().map(value).collect()),
        Value::Object(fields) => {
            StructValue::Map(fields.iter().map(|(key, field)| (key.to_string(), value(field))).collect())
        }
    }
}

impl Request {
    /// A request of which only some fields are known.
    pub(super) fn recorded() -> Self {
        Self { known: Some(BTreeSet::new()), ..Self::default() }
    }

    /// The first field of a connection that only a request has.
    pub(super) fn of_requests_alone(&self) -> Option<&'static str> {
        let Self { protocol, method, scheme, host, path, headers, claims, .. } = self;
        let given = [
            ("method", method.is_some()),
            ("scheme", scheme.is_some()),
            ("host", host.is_some()),
            ("path", path.is_some()),
            ("headers", !headers.is_empty()),
            ("JWT", claims.is_some()),
        ];
        let found = given.into_iter().find(|(_, is_given)| *is_given);
        found.map(|(name, _)| name).filter(|_| *protocol == Protocol::Tcp)
    }

    /// Whether it is from a record.
    pub(super) fn is_recorded(&self) -> bool {
        self.known.is_some()
    }

    /// Says that fields are known, where not all are.
    pub(super) fn add_known(&mut self, fields: impl IntoIterator<Item = RequestField>) {
        if let Some(known) = &mut self.known {
            known.extend(fields);
        }
    }

    /// Says how much is known of a field.
    pub(super) fn add_partly(&mut self, field: RequestField, knowledge: Knowledge) {
        self.partly.insert(field, knowledge);
    }

    /// Adds the dynamic metadata of filters, as it is.
    pub(super) fn add_metadata(&mut self, filters: Vec<(String, Struct)>) {
        self.metadata.extend(filters);
    }

    /// An identity with its scheme.
    pub(super) fn spiffe(identity: &str) -> String {
        if identity.contains("://") { identity.to_owned() } else { format!("spiffe://{identity}") }
    }

    /// Adds a claim; one that is there becomes a list.
    pub(super) fn add_claim(&mut self, name: &str, value: &str) {
        let claims = self.claims.get_or_insert_default();
        let value = StructValue::Text(value.to_owned());
        match claims.0.iter_mut().find(|(known, _)| known == name) {
            None => claims.0.push((name.to_owned(), value)),
            Some((_, StructValue::List(items))) => items.push(value),
            Some((_, one)) => *one = StructValue::List(vec![one.clone(), value]),
        }
    }

    /// What the filter would be handed.
    pub(super) fn facts(&self, explainer: &Explainer) -> RequestFacts {
        let mut pairs = PairsBuilder::default();
        let method = self.method.as_deref().or((self.protocol == Protocol::Grpc).then_some("POST"));
        let pseudo = [
            (":method", method),
            (":scheme", self.scheme.as_deref()),
            (":authority", self.host.as_deref()),
            (":path", self.path.as_deref()),
        ];
        for (name, value) in pseudo {
            if let Some(value) = value {
                pairs.push(name.as_bytes(), value.as_bytes());
            }
        }
        for (name, value) in &self.headers {
            pairs.push(name.as_bytes(), value.as_bytes());
        }
        let mut attributes = Attributes::default();
        let mut missing = BTreeSet::new();
        let mut set = |attribute: Option<&Attribute>, value: Option<String>, absent: Option<RequestField>| match value {
            Some(value) => attribute.into_iter().for_each(|attribute| attributes.set(attribute, value.as_bytes())),
            // No request is without it, so it is not known rather than absent.
            None => missing.extend(absent.filter(|_| attribute.is_some())),
        };
        let text = |address: Option<IpAddr>| address.map(|address| address.to_string());
        set(Some(&Attribute::SourceAddress), text(self.source_ip), Some(RequestField::RemoteAddress));
        let direct = self.direct_ip.or(self.source_ip.filter(|_| !self.is_recorded()));
        set(explainer.direct_address(), text(direct), Some(RequestField::DirectAddress));
        // In a record there are all names, joined by commas.
        let is_joined = self.is_recorded() || self.has_several_names;
        let first = self.principal.as_ref().and_then(|all| all.split(',').next()).map(str::to_owned);
        set(Some(&Attribute::PeerUriSan), if is_joined { first } else { self.principal.clone() }, None);
        set(explainer.peer_uri_sans(), self.principal.clone(), None);
        set(Some(&Attribute::RequestedServerName), self.sni.clone(), None);
        let destination = match (self.destination_ip, self.port) {
            (None, None) => None,
            (Some(address), None) => Some(address.to_string()),
            (None, Some(port)) => Some(format!("0.0.0.0:{port}")),
            (Some(address), Some(port)) => Some(std::net::SocketAddr::new(address, port).to_string()),
        };
        set(Some(&Attribute::DestinationAddress), destination, None);
        missing.extend(self.destination_ip.is_none().then_some(RequestField::DestinationAddress));
        missing.extend(self.port.is_none().then_some(RequestField::DestinationPort));
        let claims = self.claims.as_ref().map(jwt);
        let metadata = self.metadata.iter().map(|(filter, fields)| (filter.as_str(), fields));
        let metadata: Vec<(&str, &Struct)> = metadata.chain(claims.as_ref().map(|jwt| (JWT_FILTER, jwt))).collect();
        if !metadata.is_empty() {
            attributes.set(&Attribute::DynamicMetadata, &weir_proto::encode_metadata(metadata));
        }
        // The filter refuses because it cannot read this, so what the request has does not matter.
        let unread = explainer.direct_address().is_none().then_some(RequestField::DirectAddress);
        let (known, partly, expressions) = (self.known.clone(), self.partly.clone(), self.expressions.clone());
        RequestFacts { headers: pairs.finish(), attributes, missing, unread, known, partly, expressions }
    }
}

/// The metadata of the JWT filter with these claims.
fn jwt(claims: &Struct) -> Struct {
    let claim = |(name, value): &(String, StructValue)| {
        let value = match value {
            StructValue::Text(text) if SPACE_DELIMITED.contains(&name.as_str()) => StructValue::List(
                text.split(' ')
                    .filter(|item| !item.is_empty())
                    .map(|item| StructValue::Text(item.to_owned()))
                    .collect(),
            ),
            value => value.clone(),
        };
        (name.clone(), value)
    };
    let payload: Struct = claims.0.iter().map(claim).collect();
    Struct::from([(JWT_PAYLOAD.to_owned(), StructValue::Map(payload))])
}

#[cfg(test)]
mod tests;
