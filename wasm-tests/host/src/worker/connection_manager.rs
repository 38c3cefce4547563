//! What the connection manager does to a request before any filter sees it: limits, host, path, addresses, ids.

use crate::http::codec::Refusal;
use crate::http::headers::HeaderMap;
use crate::http::message::Incoming;
use crate::http::path;
use crate::http::stream_data::{Connection, Http};
use crate::process::Process;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::net::IpAddr;
use weir_scenario::{FilterStateValue, Proxy};

/// The request's headers as filters see them, and why they never will.
pub(crate) fn admit(process: &Process, incoming: &Incoming) -> (HeaderMap, Option<Refusal>) {
    let settings = &process.settings;
    let mut headers = HeaderMap::default();
    for (name, value) in incoming.headers.iter() {
        // The codec of HTTP/1 drops white space around values; in HTTP/2 it is a part of them.
        headers.add(name, if incoming.http == Http::V2 { value } else { value.trim_ascii() });
    }
    let refuse = |code, details| Some(Refusal { code, details, flags: &["DPE"] });
    let limit = usize::try_from(settings.proxy.max_request_headers_kb.unwrap_or(60)).unwrap_or(60) * 1024;
    let h2 = incoming.http == Http::V2;
    // Pseudo-headers of HTTP/2 count as fields.
    let fields = headers.iter().filter(|(name, _)| h2 || !name.starts_with(b":") || *name == b":authority").count();
    if headers.byte_size() > limit {
        let details = if h2 { "http2.headers_too_large" } else { "http1.headers_too_large" };
        return (headers, refuse(431, details));
    }
    if fields > settings.max_headers {
        return (headers, refuse(431, if h2 { "http2.too_many_headers" } else { "http1.too_many_headers" }));
    }
    let plain = |code, details| Some(Refusal { code, details, flags: &[] });
    if headers.get(b":authority").is_none() {
        if !h2 && incoming.http == Http::V10 {
            return (headers, plain(426, "low_version"));
        }
        return (headers, plain(400, "missing_host_header"));
    }
    if incoming.http == Http::V10 {
        return (headers, plain(426, "low_version"));
    }
    let path = headers.get(b":path").unwrap_or_default().to_vec();
    if path.is_empty() && headers.get(b":method") != Some(b"CONNECT") {
        return (headers, plain(404, "missing_path_rejected"));
    }
    if path.first() != Some(&b'/') && headers.get(b":method") != Some(b"CONNECT") {
        return (headers, plain(404, "absolute_path_rejected"));
    }
    if path.contains(&b'#') {
        return (headers, plain(400, "path_normalization_failed"));
    }
    match path::normalize(&path, settings.proxy.path_normalization) {
        path::Outcome::Path(new) => headers.replace(b":path", &new),
        path::Outcome::Refused => return (headers, plain(400, "path_normalization_failed")),
        path::Outcome::Redirect(_) => return (headers, plain(307, "path_normalization_failed")),
    }
    mutate(process, incoming, &mut headers);
    (headers, None)
}

/// `ConnectionManagerUtility::mutateRequestHeaders`, as far as scenarios can see it.
fn mutate(process: &Process, incoming: &Incoming, headers: &mut HeaderMap) {
    // An upgrade's own headers go on to the upstream.
    if !is_upgrade(headers) {
        headers.remove(b"connection");
        headers.remove(b"upgrade");
    }
    for name in [&b"keep-alive"[..], b"proxy-connection", b"transfer-encoding"] {
        headers.remove(name);
    }
    let tls = incoming.connection.tls.is_some();
    let scheme: &[u8] = if tls { b"https" } else { b"http" };
    if headers.get(b":scheme").is_none() {
        headers.replace(b":scheme", scheme);
    }
    if process.settings.proxy.use_remote_address {
        let direct = host(&incoming.connection.source).as_bytes();
        let xff = match headers.joined(b"x-forwarded-for") {
            Some(old) if !old.is_empty() => [&old, b",".as_slice(), direct].concat(),
            _ => direct.to_vec(),
        };
        headers.replace(b"x-forwarded-for", &xff);
        headers.replace(b"x-forwarded-proto", scheme);
    } else if headers.get(b"x-forwarded-proto").is_none() {
        headers.add(b"x-forwarded-proto", scheme);
    }
    if headers.get(b"x-request-id").is_none() {
        let (high, low) = (process.next_serial(), process.clock.wall());
        let id = format!("{:08x}-0000-4000-8000-{:012x}", high & 0xffff_ffff, low & 0xffff_ffff_ffff);
        headers.add(b"x-request-id", id.as_bytes());
    }
}

/// `Utility::isUpgrade`: an `upgrade` that `connection` speaks of.
fn is_upgrade(headers: &HeaderMap) -> bool {
    let connection = headers.joined(b"connection").unwrap_or_default();
    let mut tokens = connection.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    headers.get(b"upgrade").is_some() && tokens.any(|token| token.eq_ignore_ascii_case(b"upgrade"))
}

/// What a request, as filters see it, asks to be upgraded to; `CONNECT` is one more kind.
pub(crate) fn upgrade(headers: &HeaderMap) -> Option<Vec<u8>> {
    let connect = headers.get(b":method").filter(|method| *method == b"CONNECT");
    headers.get(b"upgrade").or(connect).map(<[u8]>::to_vec)
}

/// `ip` of `ip:port` or `[ip]:port`.
fn host(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Filter state that is there before the filters: what a test gives, and what `set_filter_state` writes.
pub(crate) fn filter_state(proxy: &Proxy, incoming: &Incoming, admitted: &HeaderMap) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut state = incoming.filter_state.clone();
    let of_connection = proxy.connection_filter_state.iter();
    state.extend(of_connection.map(|(key, value)| (key.clone().into_bytes(), value.clone().into_bytes())));
    for (key, written) in &proxy.filter_state {
        let value = match written {
            // The physical address, not the one in a PROXY protocol header.
            FilterStateValue::DirectAddress if proxy.proxy_protocol => Connection::default().source.into_bytes(),
            FilterStateValue::DirectAddress => incoming.connection.source.clone().into_bytes(),
            FilterStateValue::PeerUriSans => {
                let tls = incoming.connection.tls.as_ref();
                tls.map(|tls| tls.peer_uri_sans.join(",")).unwrap_or_default().into_bytes()
            }
            FilterStateValue::Header(name) => {
                let mut named = admitted.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()));
                named.next().map(|(_, value)| value.to_vec()).unwrap_or_default()
            }
            FilterStateValue::Value(bytes) => bytes.0.clone(),
        };
        if !value.is_empty() {
            state.insert(key.clone().into_bytes(), value);
        }
    }
    state
}

/// Dynamic metadata that is there before the filters: what a test gives, and what `set_metadata` writes.
pub(crate) fn dynamic_metadata(proxy: &Proxy, incoming: &Incoming) -> Map<String, Value> {
    let mut metadata = proxy.dynamic_metadata.clone();
    metadata.extend(incoming.dynamic_metadata.clone());
    metadata
}

/// The client's address: the direct peer, or what `x-forwarded-for` says where it is trusted.
pub(crate) fn remote(proxy: &Proxy, incoming: &Incoming, admitted: &HeaderMap) -> String {
    let direct = incoming.connection.source.clone();
    let hops = usize::try_from(proxy.xff_trusted_hops).unwrap_or(usize::MAX);
    let skip = match (proxy.use_remote_address, hops) {
        (true, 0) => return direct,
        // The connection manager has added the direct peer at the end.
        (true, hops) => hops,
        (false, hops) => hops,
    };
    let Some(xff) = admitted.joined(b"x-forwarded-for") else { return direct };
    let text = String::from_utf8_lossy(&xff).into_owned();
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let chosen = parts.len().checked_sub(skip + 1).and_then(|position| parts.get(position)).copied();
    match chosen.map(str::parse::<IpAddr>) {
        Some(Ok(IpAddr::V4(ip))) => format!("{ip}:0"),
        Some(Ok(IpAddr::V6(ip))) => format!("[{ip}]:0"),
        _ => direct,
    }
}

#[cfg(test)]
mod tests;
