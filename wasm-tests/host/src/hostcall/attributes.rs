//! Envoy's attribute tree as it stands in a given phase: what is absent is not in it.
//!
//! Attributes made from headers follow what the context may see of the header maps; the others follow the stream.
//! (Envoy: `source/extensions/filters/common/expr/context.cc` and the documentation page "Attributes".)

use crate::abi::proto;
use crate::abi::value::Value;
use crate::http::flags;
use crate::http::headers::HeaderMap;
use crate::http::stream_data::StreamData;
use crate::process::settings::Settings;
use crate::vm::context::Stream;
use crate::vm::state::VmState;
use std::collections::BTreeMap;
use weir_scenario::Direction;

type Fields = BTreeMap<Vec<u8>, Value>;

fn set(fields: &mut Fields, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        fields.insert(name.as_bytes().to_vec(), value);
    }
}

fn int(number: usize) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn headers(map: Option<&HeaderMap>) -> Value {
    let joined = |map: &HeaderMap, name: &[u8]| Value::Bytes(map.joined(name).unwrap_or_default());
    Value::Map(map.map(|m| m.iter().map(|(name, _)| (name.to_vec(), joined(m, name))).collect()).unwrap_or_default())
}

/// The roots of CEL's activation.
pub(crate) const ROOTS: [&str; 10] = [
    "request",
    "response",
    "connection",
    "upstream",
    "source",
    "destination",
    "metadata",
    "filter_state",
    "upstream_filter_state",
    "xds",
];

/// The prefix of filter state that modules write.
pub(crate) const OWN: &[u8] = b"wasm.";

/// The first element of a path.
pub(crate) fn find(state: &VmState, context: u32, name: &[u8]) -> Option<Value> {
    if ROOTS.iter().any(|root| root.as_bytes() == name)
        && let Some(value) = root(state, context, name)
    {
        return Some(value);
    }
    let plugin = state.root(context).map(|root| &root.plugin);
    match name {
        b"plugin_name" => plugin.map(|plugin| Value::text(&plugin.name)),
        b"plugin_root_id" => Some(Value::text(plugin.map_or("", |plugin| &plugin.root_id))),
        b"plugin_vm_id" => Some(Value::Bytes(state.vm_id.clone())),
        b"connection_id" => state.stream(context).map(|stream| Value::Uint(stream.data.borrow().connection_id)),
        _ => {
            let stream = state.stream(context)?;
            let value = stream.data.borrow().filter_state.get([OWN, name].concat().as_slice()).cloned();
            value.map(Value::Bytes)
        }
    }
}

/// A root of the tree as a context sees it; a root context sees only the node.
pub(crate) fn root(state: &VmState, context: u32, name: &[u8]) -> Option<Value> {
    let settings = &state.site.process.settings;
    let stream = state.stream(context);
    if name == b"xds" {
        return Some(xds(settings, stream));
    }
    let stream = stream?;
    let data = stream.data.borrow();
    Some(match name {
        b"request" => request(stream, &data),
        b"response" => response(stream, &data),
        b"connection" => connection(&data),
        b"upstream" => upstream(&data),
        b"source" => peer(&data.remote),
        b"destination" => peer(&data.connection.destination),
        b"metadata" => filter_metadata(&data.dynamic_metadata),
        b"filter_state" => {
            Value::Root(data.filter_state.iter().map(|(k, v)| (k.clone(), Value::Bytes(v.clone()))).collect())
        }
        b"upstream_filter_state" if data.upstream.is_some() => Value::Root(Fields::new()),
        _ => return None,
    })
}

fn filter_metadata(map: &serde_json::Map<String, serde_json::Value>) -> Value {
    Value::Message(proto::metadata(map), Fields::from([(b"filter_metadata".to_vec(), Value::from_map(map))]))
}

fn request(stream: &Stream, data: &StreamData) -> Value {
    let sight = &stream.sight;
    let map = data.request_headers.as_ref().filter(|_| sight.request_headers || sight.log);
    let one = |name: &str| Some(Value::Bytes(map?.get(name.as_bytes())?.to_vec()));
    let path = map.and_then(|map| map.get(b":path")).unwrap_or_default();
    let question = path.iter().position(|&b| b == b'?');
    let (url_path, query) = match question.and_then(|at| path.split_at_checked(at)) {
        Some((before, after)) => (before, after.get(1..).unwrap_or_default()),
        None => (path, &[] as &[u8]),
    };
    let query = query.split(|&b| b == b'#').next().unwrap_or_default();
    let bytes = map.map_or(0, HeaderMap::byte_size);
    let mut out = Fields::new();
    set(&mut out, "headers", Some(headers(map)));
    set(&mut out, "headers_bytes", Some(int(bytes)));
    set(&mut out, "time", Some(Value::Timestamp(i64::try_from(data.started.0).unwrap_or(i64::MAX))));
    let received = i64::try_from(data.received).unwrap_or(i64::MAX);
    let length = map.and_then(|map| map.get(b"content-length"));
    set(
        &mut out,
        "size",
        match length {
            Some(text) => std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).map(Value::Int),
            None => Some(Value::Int(received)),
        },
    );
    set(&mut out, "total_size", Some(Value::Int(received + i64::try_from(bytes).unwrap_or(0))));
    let whole = data.completed.map(|end| i64::try_from(end - data.started.1).unwrap_or(i64::MAX));
    set(&mut out, "duration", whole.map(Value::Duration));
    set(&mut out, "protocol", Some(Value::text(data.http.text())));
    set(&mut out, "path", one(":path"));
    set(&mut out, "url_path", map.map(|_| Value::Bytes(url_path.to_vec())));
    set(&mut out, "query", map.map(|_| Value::Bytes(query.to_vec())));
    let names = [
        ("host", ":authority"),
        ("scheme", ":scheme"),
        ("method", ":method"),
        ("referer", "referer"),
        ("id", "x-request-id"),
        ("useragent", "user-agent"),
    ];
    for (name, header) in names {
        set(&mut out, name, one(header));
    }
    Value::Root(out)
}

fn response(stream: &Stream, data: &StreamData) -> Value {
    let sight = &stream.sight;
    let map = data.response_headers.as_ref().filter(|_| sight.response_headers || sight.log);
    let trailers = data.response_trailers.as_ref().filter(|_| sight.response_trailers || sight.log);
    let bytes = map.map_or(0, HeaderMap::byte_size);
    let sent = i64::try_from(data.sent).unwrap_or(i64::MAX);
    let all = i64::try_from(bytes + trailers.map_or(0, HeaderMap::byte_size)).unwrap_or(0);
    let mut out = Fields::new();
    set(&mut out, "code", data.code.map(|code| Value::Int(i64::from(code))));
    set(&mut out, "code_details", data.details.clone().map(Value::Bytes));
    set(&mut out, "headers", Some(headers(map)));
    set(&mut out, "headers_bytes", Some(int(bytes)));
    set(&mut out, "trailers", Some(headers(trailers)));
    set(&mut out, "size", Some(Value::Int(sent)));
    set(&mut out, "total_size", Some(Value::Int(sent + all)));
    set(&mut out, "flags", Some(Value::Int(flags::bits(&data.flags))));
    set(&mut out, "grpc_status", grpc_status(map, trailers, data.code));
    Value::Root(out)
}

/// From the trailers, else from the headers, else from the HTTP status as gRPC maps it.
fn grpc_status(headers: Option<&HeaderMap>, trailers: Option<&HeaderMap>, code: Option<u16>) -> Option<Value> {
    let of = |map: Option<&HeaderMap>| {
        let text = map?.get(b"grpc-status")?;
        std::str::from_utf8(text).ok()?.parse::<i64>().ok()
    };
    of(trailers).or_else(|| of(headers)).or_else(|| code.map(crate::http::local_reply::grpc_of_http)).map(Value::Int)
}

fn connection(data: &StreamData) -> Value {
    let mut out = Fields::new();
    let tls = data.connection.tls.as_ref();
    set(&mut out, "mtls", Some(Value::Bool(tls.is_some_and(|tls| tls.peer_presented))));
    set(&mut out, "requested_server_name", Some(Value::text(tls.map_or("", |tls| &tls.sni))));
    set(&mut out, "id", Some(Value::Uint(data.connection_id)));
    if let Some(tls) = tls {
        set(&mut out, "tls_version", Some(Value::text(&tls.version)));
        set(&mut out, "subject_peer_certificate", Some(Value::text(&tls.peer_subject)));
        set(&mut out, "subject_local_certificate", Some(Value::text("")));
        set(&mut out, "uri_san_peer_certificate", tls.peer_uri_sans.first().map(|san| Value::text(san)));
        set(&mut out, "uri_san_local_certificate", tls.local_uri_sans.first().map(|san| Value::text(san)));
        set(&mut out, "dns_san_peer_certificate", tls.peer_dns_sans.first().map(|san| Value::text(san)));
    }
    Value::Root(out)
}

fn upstream(data: &StreamData) -> Value {
    let mut out = Fields::new();
    if let Some(upstream) = &data.upstream {
        set(&mut out, "address", Some(Value::text(&upstream.address)));
        set(&mut out, "port", port(&upstream.address));
        set(&mut out, "local_address", Some(Value::text("127.0.0.1:50000")));
        set(&mut out, "locality", Some(Value::text("")));
        set(&mut out, "transport_failure_reason", Some(Value::text("")));
        set(&mut out, "request_attempt_count", Some(Value::Uint(1)));
    } else {
        set(&mut out, "request_attempt_count", Some(Value::Uint(0)));
    }
    Value::Root(out)
}

fn port(address: &str) -> Option<Value> {
    Some(Value::Int(address.rsplit_once(':')?.1.parse().ok()?))
}

fn peer(address: &str) -> Value {
    let mut out = Fields::new();
    set(&mut out, "address", Some(Value::text(address)));
    set(&mut out, "port", port(address));
    Value::Root(out)
}

fn xds(settings: &Settings, stream: Option<&Stream>) -> Value {
    let mut out = Fields::new();
    let node = &settings.proxy.node;
    let mut fields = Fields::new();
    set(&mut fields, "id", Some(Value::text(&node.id)));
    set(&mut fields, "cluster", Some(Value::text(&node.cluster)));
    set(&mut fields, "metadata", Some(Value::from_map(&node.metadata)));
    set(&mut fields, "locality", Some(Value::Message(Vec::new(), Fields::new())));
    set(&mut fields, "user_agent_name", Some(Value::text("envoy")));
    let bytes = proto::node(&node.id, &node.cluster, &node.metadata);
    set(&mut out, "node", Some(Value::Message(bytes, fields)));
    let Some(stream) = stream else { return Value::Root(out) };
    let data = stream.data.borrow();
    set(
        &mut out,
        "listener_direction",
        Some(Value::Int(match settings.proxy.direction {
            Direction::Unspecified => 0,
            Direction::Inbound => 1,
            Direction::Outbound => 2,
        })),
    );
    let empty = serde_json::Map::new();
    set(&mut out, "listener_metadata", Some(filter_metadata(&empty)));
    set(&mut out, "filter_chain_name", Some(Value::text("")));
    if let Some(route) = &data.route {
        set(&mut out, "route_name", Some(Value::text(&route.name)));
        set(&mut out, "route_metadata", Some(filter_metadata(&empty)));
        set(&mut out, "virtual_host_name", Some(Value::text("all")));
        set(&mut out, "virtual_host_metadata", Some(filter_metadata(&empty)));
        if let Some(name) = &route.cluster {
            set(&mut out, "cluster_name", Some(Value::text(name)));
            let cluster = settings.surroundings.clusters.get(name);
            set(&mut out, "cluster_metadata", Some(filter_metadata(cluster.map_or(&empty, |c| &c.metadata))));
        }
    }
    if let Some(upstream) = &data.upstream {
        set(&mut out, "upstream_host_metadata", Some(filter_metadata(&upstream.metadata)));
        set(&mut out, "upstream_host_locality_metadata", Some(Value::Null));
    }
    Value::Root(out)
}
