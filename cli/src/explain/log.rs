//! Lines of Envoy's access log in the formats that Istio has by default (`pilot/pkg/model/logging.go`), as text and as JSON.
//!
//! They say little of what policies ask for, so everything else of such a request is unknown.

use super::audit;
use super::request::Request;
use std::net::{IpAddr, SocketAddr};
use weir_config::{Cursor, Value};
use weir_policy::RequestField;

/// The fields of the text after the time, by their place.
const FIELDS: [&str; 21] = [
    "request",
    "response_code",
    "response_flags",
    "response_code_details",
    "connection_termination_details",
    "upstream_transport_failure_reason",
    "bytes_received",
    "bytes_sent",
    "duration",
    "upstream_service_time",
    "x_forwarded_for",
    "user_agent",
    "request_id",
    "authority",
    "upstream_host",
    "upstream_cluster",
    "upstream_local_address",
    "downstream_local_address",
    "downstream_remote_address",
    "requested_server_name",
    "route_name",
];

/// Fields that are headers.
const HEADERS: [(&str, &str); 3] =
    [("x_forwarded_for", "x-forwarded-for"), ("user_agent", "user-agent"), ("request_id", "x-request-id")];

/// Whether a text is a line of the text format.
pub(super) fn is_text(text: &str) -> bool {
    let mut rest = text.trim_start().strip_prefix('[').into_iter().flat_map(str::chars);
    rest.next().is_some_and(|first| first.is_ascii_digit())
}

/// Whether an object is a line of the JSON format: requests have no such fields.
pub(super) fn is_json(value: &Value) -> bool {
    let Value::Object(fields) = value else { return false };
    fields.iter().any(|(name, _)| ["response_code", "start_time", "response_flags"].contains(&name.as_str()))
}

/// Reads a line.
///
/// # Errors
/// Why it is not one.
pub(super) fn read(line: &str) -> Result<Request, String> {
    // Of a record in Envoy's log, what is before it is the log's.
    let line = audit::of_line(line).unwrap_or(line);
    if line.starts_with('{') {
        let read = super::request::of_json(line);
        let request = read.map_err(|problems| {
            let lines = problems.iter().map(|(path, message)| format!("{path}: {message}"));
            lines.collect::<Vec<_>>().join("\n")
        })?;
        return if request.is_recorded() { Ok(request) } else { Err("not a line of an access log".to_owned()) };
    }
    // `kubectl logs --prefix` puts the pod before it.
    let begin =
        line.find("[2").and_then(|at| line.get(at..)).ok_or("not a line of Istio's access log: it has no time")?;
    let mut fields = split(begin);
    if fields.len() != FIELDS.len() + 1 {
        let message = "the default format of Istio, which is read, has 22, from the time to the route name";
        return Err(format!("{} fields, and {message}", fields.len()));
    }
    let values: Vec<&str> = fields.drain(1..).collect();
    let of = |name: &str| FIELDS.iter().zip(&values).find(|(known, _)| **known == name).map(|(_, value)| *value);
    let (method, rest) = of("request").and_then(|request| request.split_once(' ')).unwrap_or_default();
    let (path, _) = rest.rsplit_once(' ').unwrap_or_default();
    record(&|name| match name {
        "method" => Some(Some(method)),
        "path" => Some(Some(path)),
        name => of(name).map(Some),
    })
}

/// Reads a line in JSON.
pub(super) fn of_json(at: &Cursor<'_>) -> Option<Request> {
    let fields = at.map()?;
    let found = |name: &str| {
        let (_, value) = fields.iter().find(|(key, _)| *key == name)?;
        match value.value() {
            Value::String(text) => Some(Some(text.as_str())),
            Value::Null => Some(None),
            _ => None,
        }
    };
    let code = fields.iter().find(|(key, _)| *key == "response_code").and_then(|(_, at)| match at.value() {
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    });
    let read = record(&|name| match (name, &code) {
        ("response_code", Some(code)) => Some(Some(code.as_str())),
        _ => found(name),
    });
    read.map_err(|problem| at.problem::<()>(problem)).ok()
}

/// The values of a line, the time included. Quoted ones may have spaces inside.
fn split(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (open, close) = match rest.as_bytes().first() {
            Some(b'"') => ("\"", "\" "),
            Some(b'[') if found.is_empty() => ("[", "] "),
            _ => ("", " "),
        };
        let inner = rest.strip_prefix(open).unwrap_or(rest);
        let (value, after) = match inner.split_once(close) {
            Some(split) => split,
            None => (inner.strip_suffix(close.trim_end()).filter(|_| !open.is_empty()).unwrap_or(inner), ""),
        };
        found.push(value);
        rest = after.trim_start();
    }
    found
}

/// The request of a record. `field` gives a field by its name in JSON: `None` if the record has no such field, and `-` or
/// nothing inside if the request has none.
fn record<'v>(field: &dyn Fn(&str) -> Option<Option<&'v str>>) -> Result<Request, String> {
    let field = |name: &str| field(name).map(|value| value.filter(|value| !["-", ""].contains(value)));
    let mut request = Request::recorded();
    let mut known = Vec::new();
    let mut take = |name: &str, of: RequestField| {
        let found = field(name);
        known.extend(found.map(|_| of));
        found.flatten().map(str::to_owned)
    };
    request.method = take("method", RequestField::Method);
    request.path = take("path", RequestField::Path);
    request.host = take("authority", RequestField::Host);
    request.sni = take("requested_server_name", RequestField::ServerName);
    request.principal = take("downstream_peer_uri_san", RequestField::Principal).map(|name| Request::spiffe(&name));
    for (name, header) in HEADERS {
        let value = take(name, RequestField::Header(header.into()));
        request.headers.extend(value.map(|value| (header.to_owned(), value)));
    }
    let address = |name: &str| match field(name).flatten() {
        None => Ok(None),
        Some(text) => match (text.parse::<SocketAddr>(), text.parse::<IpAddr>()) {
            (Ok(address), _) => Ok(Some((address.ip(), Some(address.port())))),
            (_, Ok(address)) => Ok(Some((address, None))),
            // An internal listener's, such as that of a tunnel, is not known.
            _ if text.starts_with("envoy://") => Ok(None),
            _ => Err(format!("`{name}`: `{text}` is not an address")),
        },
    };
    let (remote, direct) = (address("downstream_remote_address")?, address("downstream_direct_remote_address")?);
    let local = address("downstream_local_address")?;
    let ip = |address: Option<(IpAddr, Option<u16>)>| address.map(|(address, _)| address);
    (request.source_ip, request.direct_ip, request.destination_ip) = (ip(remote), ip(direct), ip(local));
    request.port = local.and_then(|(_, port)| port);
    known.extend(remote.map(|_| RequestField::RemoteAddress));
    known.extend(direct.map(|_| RequestField::DirectAddress));
    known.extend(local.map(|_| RequestField::DestinationAddress));
    known.extend(request.port.map(|_| RequestField::DestinationPort));
    if request.method.is_none() && field("method").is_some() {
        return Err("a connection, and no HTTP request: policies for TCP are not decided".to_owned());
    }
    let details = field("response_code_details").flatten();
    request.recorded = field("response_code").flatten().map(|code| match details {
        Some(details) => format!("{code} {details}"),
        None => code.to_owned(),
    });
    request.is_outbound = field("upstream_cluster").flatten().is_some_and(|name| name.starts_with("outbound|"));
    request.add_known(known);
    Ok(request)
}

#[cfg(test)]
mod tests;
