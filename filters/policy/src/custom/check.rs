//! What a provider is asked: Envoy's `CheckRequest`, or an HTTP request with the headers that the configuration names.
//!
//! Semantics: Envoy's `check_request_utils.cc` and `ext_authz_http_impl.cc`.

use super::provider::{HttpProvider, Protocol, Provider};
use crate::config::object::Field;
use weir_matching::Pattern;
use weir_model::{
    Attribute, CallFailure, Callout, CelType, CelValue, Expression, Facts, GrpcCallout, GrpcTarget, Headers,
    HttpCallout, Io,
};
use weir_proto::encode;
use weir_proto::ext_authz::{
    Address, AttributeContext, CheckRequest, CheckedRequest, EmptyMessage, HttpRequest, NameValue, Peer, SocketAddress,
    Timestamp,
};

/// A header of Envoy's own, which a client could forge.
const PARTIAL_BODY: &[u8] = b"x-envoy-auth-partial-body";

/// What of a stream only a check reads, line by line. It is evaluated for the requests that are asked about, so others pay
/// nothing for it. A peer chooses its own name, which therefore comes last.
const STREAM: &str = "source.address+'\\n'+destination.address+'\\n'\
    +(has(request.protocol)?request.protocol:'')+'\\n'\
    +(has(connection.uri_san_local_certificate)?connection.uri_san_local_certificate:\
    has(connection.dns_san_local_certificate)?connection.dns_san_local_certificate:\
    has(connection.subject_local_certificate)?connection.subject_local_certificate:'')+'\\n'\
    +(has(connection.uri_san_peer_certificate)?connection.uri_san_peer_certificate:\
    has(connection.dns_san_peer_certificate)?connection.dns_san_peer_certificate:\
    has(connection.subject_peer_certificate)?connection.subject_peer_certificate:'')";

/// The expressions that [`callout`] evaluates.
pub(crate) fn expressions(provider: &Provider) -> Vec<Expression> {
    match provider.protocol {
        Protocol::Http(_) => Vec::new(),
        Protocol::Grpc { .. } => {
            let (path, text) = ("$.providers".to_owned(), STREAM.to_owned());
            vec![Expression { owner: 0, path, text, ty: CelType::String, is_required: true }]
        }
    }
}

/// The callout that asks `provider` about a request. `direct_address` is where the direct peer's address is.
///
/// # Errors
/// If the host does not say what a check must hold.
#[inline(never)]
pub(crate) fn callout(
    provider: &Provider,
    direct_address: Option<&Attribute>,
    facts: &Facts<'_>,
    io: &Io<'_>,
) -> Result<Callout, CallFailure> {
    let Provider { cluster, timeout_millis, protocol, .. } = provider;
    match protocol {
        Protocol::Http(http) => Ok(Callout::Http(HttpCallout {
            cluster: cluster.clone(),
            headers: check_headers(http, facts.request_headers),
            body: Vec::new(),
            timeout_millis: *timeout_millis,
        })),
        Protocol::Grpc { authority } => {
            let Ok(CelValue::String(stream)) = io.evaluate(0) else { return Err(CallFailure::NotSent) };
            let direct = direct_address.and_then(|attribute| facts.attributes.bytes(attribute));
            let message = check_request(&stream, direct, facts, io.now.wall_nanos);
            Ok(Callout::Grpc(GrpcCallout {
                target: GrpcTarget {
                    cluster: cluster.clone(),
                    authority: authority.clone(),
                    initial_metadata: Vec::new(),
                    timeout_millis: *timeout_millis,
                },
                service: "envoy.service.auth.v3.Authorization".to_owned(),
                method: "Check".to_owned(),
                message: encode(&message),
            }))
        }
    }
}

/// Whether a name is one of those. Names are in lower case.
pub(super) fn is_named(patterns: &[Pattern], name: &[u8]) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name))
}

#[inline(never)]
fn check_headers(http: &HttpProvider, request: Headers<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut headers: Vec<(Vec<u8>, Vec<u8>)> = vec![(b"content-length".to_vec(), b"0".to_vec())];
    for (name, value) in request.iter() {
        let is_sent = match name {
            b":method" | b":path" | b":authority" | b"authorization" => true,
            b"content-length" | PARTIAL_BODY => false,
            name => is_named(&http.included, name),
        };
        if !is_sent {
            continue;
        }
        if name == b":path" {
            headers.push((name.to_vec(), [&http.path_prefix, value].concat()));
            continue;
        }
        // Of one name there is one value, as in the map of a gRPC check.
        match headers.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => known.extend([b",", value].concat()),
            None => headers.push((name.to_vec(), value.to_vec())),
        }
    }
    for (name, format) in &http.additional {
        if let Some(value) = format.value(&request) {
            headers.retain(|(known, _)| known != name);
            headers.push((name.clone(), value));
        }
    }
    headers
}

/// `stream` is the value of [`STREAM`].
#[inline(never)]
fn check_request(stream: &[u8], direct: Option<&[u8]>, facts: &Facts<'_>, wall_nanos: u64) -> CheckRequest {
    let headers = facts.request_headers;
    let mut lines = stream.splitn(5, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (source, destination, protocol, local, peer) = (line(), line(), line(), line(), line());
    let text = |name: &[u8]| utf8(headers.first(name).unwrap_or_default());
    let http = HttpRequest {
        id: text(b"x-request-id"),
        method: text(b":method"),
        headers: header_map(headers),
        path: text(b":path"),
        host: text(b":authority"),
        scheme: text(b":scheme"),
        protocol: utf8(protocol),
    };
    let time = Timestamp {
        seconds: i64::try_from(wall_nanos / 1_000_000_000).unwrap_or_default(),
        nanos: i32::try_from(wall_nanos % 1_000_000_000).unwrap_or_default(),
    };
    let peer_of = |address: &[u8], principal: &[u8], service: String| {
        Some(Peer { address: address_of(address), service, principal: utf8(principal) })
    };
    CheckRequest {
        attributes: Some(AttributeContext {
            source: peer_of(direct.unwrap_or(source), peer, text(b"x-envoy-downstream-service-cluster")),
            destination: peer_of(destination, local, String::new()),
            request: Some(CheckedRequest { time: Some(time), http: Some(http) }),
            metadata_context: Some(EmptyMessage {}),
            route_metadata_context: Some(EmptyMessage {}),
        }),
    }
}

/// Every header once, values of the same name joined.
fn header_map(headers: Headers<'_>) -> Vec<NameValue> {
    let mut map: Vec<NameValue> = Vec::with_capacity(headers.len());
    let mut places = weir_matching::Names::default();
    for (name, value) in headers.iter().filter(|(name, _)| *name != PARTIAL_BODY) {
        let place = usize::try_from(places.intern(name)).unwrap_or(usize::MAX);
        let value = utf8(value);
        match map.get_mut(place) {
            Some(known) => known.value.extend([",", &value]),
            None => map.push(NameValue { key: utf8(name), value }),
        }
    }
    map
}

/// An address as `IP:PORT`, or `[IP]:PORT`.
fn address_of(text: &[u8]) -> Option<Address> {
    let text = std::str::from_utf8(text).ok()?;
    let (address, port) = text.rsplit_once(':')?;
    let address = address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address);
    let socket = SocketAddress { address: address.to_owned(), port: Some(port.parse().ok()?) };
    Some(Address { socket_address: Some(socket) })
}

/// Text as protobuf's strings have it: Envoy writes `!` for each byte that is not a part of UTF-8.
fn utf8(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '!'));
    }
    text
}

/// Whether a CUSTOM policy may look at a field: Istio asks providers before it knows who the peer is.
pub(crate) fn may_be_custom(field: &Field) -> bool {
    !field.is_identity() && !matches!(field, Field::RequestPrincipal | Field::Claim(_))
}

/// What is kept of a request takes this attribute besides.
pub(crate) fn attributes(provider: &Provider, direct_address: Option<&Attribute>) -> Option<Attribute> {
    direct_address.filter(|_| matches!(provider.protocol, Protocol::Grpc { .. })).cloned()
}

#[cfg(test)]
mod tests;
