//! The codec's part: what HTTP/1 and HTTP/2 codecs refuse before there is a stream, and raw bytes read as HTTP/1.

use crate::http::headers::HeaderMap;
use crate::http::message::Incoming;
use crate::http::stream_data::{Connection, Http};
use weir_scenario::{Bytes, Fields, Record, Response};

/// A request that is answered by the codec or the connection manager, before any filter sees it.
pub(crate) struct Refusal {
    pub(crate) code: u16,
    pub(crate) details: &'static str,
    pub(crate) flags: &'static [&'static str],
}

fn refuse(details: &'static str) -> Refusal {
    Refusal { code: 400, details, flags: &["DPE"] }
}

/// The error of an upstream's codec about the first header that it cannot encode; `None` if it encodes them all.
pub(crate) fn unencodable(headers: &HeaderMap) -> Option<String> {
    let control = |b: &u8| *b == 0x7f || (*b < b' ' && *b != b'\t');
    headers.iter().find_map(|(name, value)| {
        let shown = String::from_utf8_lossy(name);
        let bare = name.strip_prefix(b":").unwrap_or(name);
        if bare.is_empty() || !bare.iter().all(is_token) {
            return Some(format!("invalid header name: {shown}"));
        }
        value.iter().any(control).then(|| format!("invalid header value for: {shown}"))
    })
}

fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

/// Refuses names and values that a codec refuses: NUL, line ends, and names that are not tokens.
pub(crate) fn check(incoming: &Incoming) -> Result<(), Refusal> {
    let good = |(name, value): (&[u8], &[u8])| {
        let name = name.strip_prefix(b":").unwrap_or(name);
        !name.is_empty() && name.iter().all(is_token) && !value.iter().any(|b| matches!(b, 0 | b'\r' | b'\n'))
    };
    let visible = |name: &[u8]| incoming.headers.get(name).unwrap_or_default().iter().all(u8::is_ascii_graphic);
    // A target and a host are visible ASCII in HTTP/1; HTTP/2 leaves the target to the connection manager.
    let target = incoming.http == Http::V2 || visible(b":path") && visible(b":authority");
    // With a length and chunks at once, it is ambiguous which of them ends the request.
    let both =
        incoming.headers.get(b"transfer-encoding").is_some() && incoming.headers.get(b"content-length").is_some();
    // The target of a CONNECT names a host and a port.
    let connect = incoming.http != Http::V2 && incoming.headers.get(b":method") == Some(b"CONNECT");
    let port = incoming.headers.get(b":authority").unwrap_or_default().rsplit(|byte| *byte == b':').next();
    let nowhere = connect && !port.is_some_and(|port| !port.is_empty() && port.iter().all(u8::is_ascii_digit));
    if incoming.headers.iter().all(good) && target && !both && !nowhere {
        Ok(())
    } else {
        Err(refuse("http1.codec_error"))
    }
}

/// Reads one request.
pub(crate) fn parse(bytes: &[u8], connection: Connection) -> Result<Incoming, Refusal> {
    let bad = || refuse("http1.codec_error");
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").ok_or_else(bad)?;
    let (head, rest) = bytes.split_at_checked(end).ok_or_else(bad)?;
    let mut lines = head.split(|&b| b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let mut words = lines.next().unwrap_or_default().split(|&b| b == b' ');
    let (method, path, version) = (words.next(), words.next(), words.next());
    let http = match version {
        Some(b"HTTP/1.1") => Http::V11,
        Some(b"HTTP/1.0") => Http::V10,
        _ => return Err(bad()),
    };
    let (Some(method), Some(path), None) = (method, path, words.next()) else { return Err(bad()) };
    let mut headers = HeaderMap::new([(&b":method"[..], method), (b":path", path)]);
    for line in lines {
        let colon = line.iter().position(|&b| b == b':').ok_or_else(bad)?;
        let (name, value) = line.split_at_checked(colon).ok_or_else(bad)?;
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let name = if name.eq_ignore_ascii_case(b"host") { b":authority" } else { name };
        headers.add(name, value);
    }
    let body = rest.get(4..).unwrap_or_default().to_vec();
    let announced = headers.get(b"content-length").and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
    let unfinished = body.len() < announced.unwrap_or(0);
    let incoming = Incoming { headers, body, http, connection, unfinished, ..Incoming::default() };
    check(&incoming)?;
    Ok(incoming)
}

/// The response to a request that does not become a stream: a bare 400, and the connection is closed.
pub(crate) fn response(refusal: &Refusal) -> Response {
    let headers = Fields(vec![
        (Bytes::from("content-length"), Bytes::from("11")),
        (Bytes::from("content-type"), Bytes::from("text/plain")),
        (Bytes::from("connection"), Bytes::from("close")),
    ]);
    let body = Bytes::from("Bad Request");
    Response { status: Some(refusal.code), headers, body, ..Response::default() }
}

/// Its access log record.
pub(crate) fn record(refusal: &Refusal) -> Record {
    Record {
        status: refusal.code,
        details: Bytes::from(refusal.details),
        flags: Bytes::from(crate::http::flags::text(refusal.flags).as_str()),
        policy: Bytes::from("-"),
        rate_limit: Bytes::from("-"),
        authz_metadata: Bytes::from("-"),
        lines: 1,
    }
}
