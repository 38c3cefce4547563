//! Every attribute in every phase, and filter state of the module's own.

use crate::host;
use crate::report::{name, plain, show, show_map, show_pairs, with};

/// How a value is shown.
#[derive(Clone, Copy)]
enum Shape {
    /// As text.
    Text,
    /// Eight bytes, as a number.
    Number,
    /// Eight bytes, a number of bytes of response headers, less the digits of the upstream's service time.
    Bytes,
    /// Eight bytes that differ between runs.
    Varying,
    /// `ip:port`, the port as a word.
    Address,
    /// Eight bytes, a port.
    Port,
    /// Pairs of a map, in any order.
    Pairs,
    /// Pairs of a list, in its order.
    List,
    /// A message that differs between hosts in details that no module depends on: only whether it is there.
    Message,
    /// Text that differs between runs.
    Id,
}

use Shape::{Address, Bytes, Id, List, Message, Number, Pairs, Port, Text, Varying};

const ATTRIBUTES: &[(&str, Shape)] = &[
    ("request.path", Text),
    ("request.url_path", Text),
    ("request.host", Text),
    ("request.scheme", Text),
    ("request.method", Text),
    ("request.headers", Pairs),
    ("request.headers.x-user", Text),
    ("request.headers.X-User", Text),
    ("request.headers.x-twice", Text),
    ("request.headers.x-empty", Text),
    ("request.headers.x-missing", Text),
    ("request.headers.:path", Text),
    ("request.referer", Text),
    ("request.useragent", Text),
    ("request.time", Varying),
    ("request.id", Id),
    ("request.protocol", Text),
    ("request.query", Text),
    ("request.duration", Varying),
    ("request.size", Number),
    ("request.total_size", Number),
    ("request.headers_bytes", Number),
    ("request.nope", Text),
    ("request", Text),
    ("request.path.more", Text),
    ("response.code", Number),
    ("response.code_details", Text),
    ("response.flags", Number),
    ("response.grpc_status", Number),
    ("response.headers", Pairs),
    ("response.headers.:status", Text),
    ("response.headers.x-answer", Text),
    ("response.headers.x-missing", Text),
    ("response.trailers", Pairs),
    ("response.size", Number),
    ("response.total_size", Bytes),
    ("response.headers_bytes", Bytes),
    ("response.backend_latency", Varying),
    ("response.nope", Text),
    ("source.address", Address),
    ("source.port", Port),
    ("destination.address", Address),
    ("destination.port", Port),
    ("connection.id", Varying),
    ("connection.mtls", Text),
    ("connection.requested_server_name", Text),
    ("connection.tls_version", Text),
    ("connection.subject_local_certificate", Text),
    ("connection.subject_peer_certificate", Text),
    ("connection.dns_san_local_certificate", Text),
    ("connection.dns_san_peer_certificate", Text),
    ("connection.uri_san_local_certificate", Text),
    ("connection.uri_san_peer_certificate", Text),
    ("connection.sha256_peer_certificate_digest", Id),
    ("connection.transport_failure_reason", Text),
    ("connection.termination_details", Text),
    ("connection.nope", Text),
    ("upstream.address", Address),
    ("upstream.port", Port),
    ("upstream.local_address", Address),
    ("upstream.tls_version", Text),
    ("upstream.subject_local_certificate", Text),
    ("upstream.subject_peer_certificate", Text),
    ("upstream.dns_san_local_certificate", Text),
    ("upstream.dns_san_peer_certificate", Text),
    ("upstream.uri_san_local_certificate", Text),
    ("upstream.uri_san_peer_certificate", Text),
    ("upstream.sha256_peer_certificate_digest", Id),
    ("upstream.transport_failure_reason", Text),
    ("upstream.request_attempt_count", Number),
    ("upstream.cx_pool_ready_duration", Varying),
    ("upstream.locality", Message),
    ("upstream.nope", Text),
    ("metadata", Text),
    ("metadata.filter_metadata", Text),
    ("metadata.filter_metadata.nope", Text),
    ("filter_state", Text),
    ("filter_state.nope", Text),
    ("upstream_filter_state", Text),
    ("upstream_filter_state.nope", Text),
    ("xds", Text),
    ("xds.node", Message),
    ("xds.node.id", Text),
    ("xds.node.cluster", Text),
    ("xds.node.locality", Message),
    ("xds.node.metadata", Pairs),
    ("xds.node.metadata.NAMESPACE", Text),
    ("xds.node.metadata.LABELS", Pairs),
    ("xds.node.metadata.LABELS.app", Text),
    ("xds.node.metadata.NUMBER", Text),
    ("xds.node.metadata.YES", Text),
    ("xds.node.metadata.LIST", List),
    ("xds.node.metadata.LIST.0", Text),
    ("xds.node.metadata.LIST.9", Text),
    ("xds.node.metadata.NULL", Text),
    ("xds.node.metadata.nope", Text),
    ("xds.node.user_agent_name", Text),
    ("xds.node.nope", Text),
    ("xds.cluster_name", Text),
    ("xds.cluster_metadata", Text),
    ("xds.cluster_metadata.filter_metadata", Pairs),
    ("xds.cluster_metadata.filter_metadata.istio", Pairs),
    ("xds.listener_direction", Number),
    ("xds.listener_metadata", Text),
    ("xds.route_name", Text),
    ("xds.route_metadata", Text),
    ("xds.virtual_host_name", Text),
    ("xds.virtual_host_metadata", Text),
    ("xds.upstream_host_metadata", Text),
    ("xds.upstream_host_metadata.filter_metadata.istio.workload", Text),
    ("xds.upstream_host_locality_metadata", Text),
    ("xds.filter_chain_name", Text),
    ("xds.nope", Text),
    ("plugin_name", Text),
    ("plugin_root_id", Text),
    ("plugin_vm_id", Text),
    ("connection_id", Varying),
    ("node", Text),
    ("node.id", Text),
    ("cluster_name", Text),
    ("listener_direction", Text),
    ("route_name", Text),
    ("nope", Text),
    ("", Text),
    (".", Text),
    ("request.", Text),
];

pub(crate) fn read() {
    for (path, shape) in ATTRIBUTES {
        get(path, *shape);
    }
}

fn get(path: &str, shape: Shape) {
    let (status, value) = host::get_property(path.replace('.', "\0").as_bytes());
    let shown = if status == 0 { shown(&value, shape) } else { String::new() };
    with(&format!("get_property({path})"), status, &shown);
}

fn shown(value: &[u8], shape: Shape) -> String {
    let number = value.try_into().ok().map(u64::from_le_bytes);
    match (shape, number) {
        (_, _) if value.is_empty() => "<empty>".to_owned(),
        (Number, Some(number)) => number.to_string(),
        (Bytes, Some(number)) => {
            let (_, digits) = host::get_property(b"response\0headers\0x-envoy-upstream-service-time");
            number.saturating_sub(digits.len() as u64).to_string()
        }
        (Varying, Some(_)) => "<8 bytes>".to_owned(),
        (Port, Some(1..=0xffff)) => "<port>".to_owned(),
        (Address, _) => match String::from_utf8_lossy(value).rsplit_once(':') {
            Some((ip, _)) => format!("{ip}:<port>"),
            None => show(value),
        },
        (Pairs, _) => show_map(value),
        (List, _) => show_pairs(value),
        (Message, _) => "<message>".to_owned(),
        (Id, _) => format!("<{} bytes>", value.len()),
        _ => show(value),
    }
}

/// Filter state: written in one phase, read in all.
pub(crate) fn write(phase: &str) {
    for path in ["probe.first", "wasm.probe.first", "filter_state.wasm.probe.first", "probe.two.words", "own"] {
        get(path, Text);
    }
    let (status, value) = host::get_property(b"filter_state\0wasm.probe.first");
    with("get_property(filter_state, wasm.probe.first)", status, &show(&value));
    let tries: [(&[u8], &[u8]); 5] = [
        (b"probe.first", phase.as_bytes()),
        (b"probe\0two\0words", b"joined"),
        (b"", b"nameless"),
        (b"request\0path", b"/shadow"),
        (b"plugin_name", b"shadow"),
    ];
    for (path, value) in tries {
        plain(&format!("set_property({}, {})", show(path), show(value)), host::set_property(path, value));
    }
    for path in [&b"probe.first"[..], b"probe\0two\0words", b"", b"request\0path", b"plugin_name", b"wasm.probe.first"]
    {
        let (status, value) = host::get_property(path);
        with(&format!("get_property({}) after", show(path)), status, &show(&value));
    }
    let (status, value) = host::get_property(b"filter_state\0wasm.probe.first");
    crate::report::line(
        "get_property(filter_state, wasm.probe.first) after",
        &format!("{} {}", name(status), show(&value)),
    );
}
