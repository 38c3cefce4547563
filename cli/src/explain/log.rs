//! A line of an access log, or an audit record, as the request that is explained.
//!
//! They say little of what policies ask for, so everything else of such a request is unknown.

use super::request::{Protocol, Request};
use crate::log::{Format, Record};
use weir_policy::{Knowledge, RequestField};

/// Whether a text is a line of a format of text, or one of Envoy's own log with an audit record.
pub(super) fn is_text(text: &str) -> bool {
    if crate::log::has_record(text.as_bytes()) {
        return true;
    }
    let mut rest = text.trim_start().strip_prefix('[').into_iter().flat_map(str::chars);
    rest.next().is_some_and(|first| first.is_ascii_digit())
}

/// Whether a JSON text is a line of an access log or an audit record: requests have no such fields.
pub(super) fn is_json(text: &str) -> bool {
    crate::log::is_recorded(text.as_bytes())
}

/// Reads a line.
///
/// # Errors
/// Why it is not one.
pub(super) fn read(line: &str) -> Result<Request, String> {
    let format = Format::default();
    let record = format.record(line.as_bytes())?;
    let mut request = request(&record);
    if !record.is_request() {
        request.protocol = Protocol::Tcp;
        (request.method, request.host, request.path) = (None, None, None);
        request.headers.clear();
    }
    Ok(request)
}

/// The request of a record.
fn request(record: &Record<'_>) -> Request {
    let mut request = Request::recorded();
    let mut unread = Vec::new();
    let mut text = |value: Option<&[u8]>, field: RequestField| {
        let text = value.map(|value| String::from_utf8(value.to_vec()));
        text.and_then(|text| text.map_err(|_| unread.push(field)).ok())
    };
    let mut value = |values: Vec<&[u8]>, field| text(values.first().copied(), field);
    request.method = value(record.method.values().1, RequestField::Method);
    request.path = value(record.path.values().1, RequestField::Path);
    request.host = value(record.host.values().1, RequestField::Host);
    request.sni = value(record.server_name.values().1, RequestField::ServerName);
    for (name, header) in &record.headers {
        let field = RequestField::Header(name.clone());
        let values: Vec<String> =
            header.values(name).1.into_iter().filter_map(|found| value(vec![found], field.clone())).collect();
        request.headers.extend(values.into_iter().map(|value| (name.to_string(), value)));
    }
    let named = [&record.peer_principal, &record.uri_sans].into_iter().find_map(|known| known.value());
    request.principal = value(named.into_iter().collect(), RequestField::Principal).map(|name| Request::spiffe(&name));
    let [remote, direct, local] = [record.remote_address, record.direct_address, record.local_address];
    let ip = |place: Option<(std::net::IpAddr, _)>| place.map(|(address, _)| address);
    (request.source_ip, request.direct_ip, request.destination_ip) = (ip(remote), ip(direct), ip(local));
    request.port = local.and_then(|(_, port)| port);
    request.add_metadata(record.filters());
    let line = |known: Option<&[u8]>| known.map(|value| String::from_utf8_lossy(value).into_owned());
    let decided = line(record.decision.value()).map(|decision| {
        let rule = line(record.policy.value()).zip(line(record.rule.value()));
        let rule = rule.map_or_else(|| "-".to_owned(), |(policy, rule)| format!("{policy}[{rule}]"));
        format!("{decision} {rule}")
    });
    let answered = line(record.code.value()).map(|code| match line(record.details.value()) {
        Some(details) => format!("{code} {details}"),
        None => code,
    });
    request.recorded = decided.or(answered);
    request.is_outbound = record.is_outbound();
    let known = record.fields().into_iter().filter(|field| !unread.contains(field));
    for (field, knowledge) in known.map(|field| (field.clone(), record.knowledge(&field))) {
        match knowledge {
            Knowledge::Whole => request.add_known([field]),
            Knowledge::AtLeast | Knowledge::AtMost => request.add_partly(field, knowledge),
            Knowledge::Nothing => {}
        }
    }
    request
}

#[cfg(test)]
mod tests;
