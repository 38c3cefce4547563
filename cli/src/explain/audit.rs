//! Audit records, as `audit` of a document has the policy filter make them (`filters/policy/src/audit/record.rs`).
//!
//! A record leaves out what its request did not have, so what it lacks is absent where every record would have it, and unknown
//! otherwise: a header that it does not have may be one that was not asked for. What is masked, cut or escaped is unknown.

use super::request::Request;
use std::net::SocketAddr;
use weir_config::{Cursor, Value};
use weir_policy::RequestField;

/// What a record in Envoy's log begins with.
const PREFIX: &str = "weir audit: ";
/// What stands in place of a masked value.
const MASK: &str = "***";

/// Whether an object is a record: neither requests nor access logs have such fields.
pub(super) fn is_record(value: &Value) -> bool {
    let Value::Object(fields) = value else { return false };
    ["sequence", "decision", "plugin"].iter().all(|name| fields.iter().any(|(known, _)| known == name))
}

/// The record in a line of Envoy's log. In a line of an access log a client may have written the same, in quotation marks.
pub(super) fn of_line(line: &str) -> Option<&str> {
    let (before, record) = line.split_once(PREFIX)?;
    // Istio's proxies write the thread behind it.
    let end = record.rfind('}')?;
    record.get(..=end).filter(|_| !before.contains('"'))
}

/// Reads a record.
pub(super) fn of_json(at: &Cursor<'_>) -> Option<Request> {
    let fields = at.map()?;
    let find = |name: &str| fields.iter().find(|(known, _)| *known == name).map(|(_, at)| at);
    let text = |name: &str| find(name).and_then(|at| at.string());
    let names = |name: &str| find(name).map(|at| at.strings()).unwrap_or_default();
    let damaged: Vec<&str> = names("escaped").into_iter().chain(names("truncated")).collect();
    let mut request = Request::recorded();
    let mut known = Vec::new();
    let mut take = |name: &str, of: RequestField| {
        if damaged.contains(&name) {
            return None;
        }
        known.push(of);
        text(name).map(str::to_owned)
    };
    request.method = take("method", RequestField::Method);
    request.path = take("path", RequestField::Path);
    request.host = take("host", RequestField::Host);
    request.sni = take("sni", RequestField::ServerName);
    request.principal = take("principal", RequestField::Principal).map(|name| Request::spiffe(&name));
    let id = take("request_id", RequestField::Header("x-request-id".into()));
    request.headers.extend(id.map(|id| ("x-request-id".to_owned(), id)));
    let address = |name: &str| {
        let at = find(name)?;
        // The address of an internal listener is not known.
        let text = at.string().filter(|text| !text.starts_with("envoy://"))?;
        match text.parse::<SocketAddr>() {
            Ok(address) => Some(address),
            Err(_) => at.problem(format!("`{text}` is not an address with its port")),
        }
    };
    let (remote, direct, local) = (address("source"), address("direct"), address("destination"));
    request.source_ip = remote.map(|address| address.ip());
    request.direct_ip = direct.map(|address| address.ip());
    request.destination_ip = local.map(|address| address.ip());
    request.port = local.map(|address| address.port());
    known.extend(remote.map(|_| RequestField::RemoteAddress));
    known.extend(direct.map(|_| RequestField::DirectAddress));
    known.extend(local.iter().flat_map(|_| [RequestField::DestinationAddress, RequestField::DestinationPort]));
    for (name, at) in find("headers").and_then(|at| at.map()).unwrap_or_default() {
        let values = match at.value() {
            Value::Array(_) => at.strings(),
            _ => at.string().into_iter().collect(),
        };
        // Of four values a record may have had more.
        if values.contains(&MASK) || values.len() > 3 || damaged.contains(&format!("headers.{name}").as_str()) {
            continue;
        }
        known.push(RequestField::Header(name.into()));
        request.headers.extend(values.into_iter().map(|value| (name.to_owned(), value.to_owned())));
    }
    // Of a request with a JWT only some claims are in the record.
    if find("jwt").and_then(|at| at.bool()) == Some(false) {
        known.push(RequestField::Claims);
    }
    let decision = text("decision").unwrap_or_default();
    request.recorded = Some(match (text("policy"), find("rule").map(|at| at.value())) {
        (Some(policy), Some(Value::Number(rule))) => format!("{decision} {policy}[{rule}]"),
        _ => format!("{decision} -"),
    });
    request.add_known(known);
    Some(request)
}

#[cfg(test)]
mod tests;
