//! The log format that has all that policies ask for.

use super::options::For;
use crate::log::{JWT_FILTER, JWT_PAYLOAD};
use serde_json::{Map, Value, json};
use weir_policy::{RequestField, is_single_header};

/// What every line has: the answer, and the caller.
const ALWAYS: [(&str, &str); 16] = [
    ("start_time", "%START_TIME%"),
    ("method", "%REQ(:METHOD)%"),
    ("path", "%REQ(:PATH)%"),
    // A route that rewrites the path keeps the old one there; a client can send it too.
    ("original_path", "%REQ(X-ENVOY-ORIGINAL-PATH)%"),
    ("authority", "%REQ(:AUTHORITY)%"),
    ("request_id", "%REQ(X-REQUEST-ID)%"),
    ("response_code", "%RESPONSE_CODE%"),
    ("response_flags", "%RESPONSE_FLAGS%"),
    ("response_code_details", "%RESPONSE_CODE_DETAILS%"),
    ("upstream_host", "%UPSTREAM_HOST%"),
    ("upstream_cluster", "%UPSTREAM_CLUSTER_RAW%"),
    ("downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"),
    ("downstream_direct_remote_address", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%"),
    ("downstream_tls_version", "%DOWNSTREAM_TLS_VERSION%"),
    ("downstream_peer_uri_san", "%DOWNSTREAM_PEER_URI_SAN%"),
    // Where Istio's HBONE listeners and waypoints have the peer.
    ("peer_principal", "%FILTER_STATE(io.istio.peer_principal:PLAIN)%"),
];

/// The fields of the format, for Envoy's `json_format`.
pub(super) fn fields<'f>(asked: impl Iterator<Item = &'f RequestField>) -> Value {
    let mut format = Map::new();
    let mut set = |name: &str, operator: String| format.insert(name.to_owned(), Value::String(operator));
    for (name, operator) in ALWAYS {
        set(name, operator.to_owned());
    }
    let (mut headers, mut joined, mut metadata) = (Map::new(), Map::new(), Map::new());
    let mut claims: Vec<Vec<&str>> = Vec::new();
    for field in asked {
        match field {
            RequestField::Method | RequestField::Path | RequestField::Host => {}
            RequestField::RemoteAddress | RequestField::DirectAddress => {}
            // No operator has the answer as it was when policies decided.
            RequestField::Provider(_) | RequestField::Expression(_) => {}
            RequestField::DestinationAddress | RequestField::DestinationPort => {
                set("downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%".to_owned());
            }
            // The operator for it writes `_` for what no host name has.
            RequestField::ServerName => {
                set("server_name", "%CEL(connection.requested_server_name)%".to_owned());
            }
            RequestField::Principal => {
                set("downstream_peer_dns_san", "%DOWNSTREAM_PEER_DNS_SAN%".to_owned());
                set("downstream_peer_subject", "%DOWNSTREAM_PEER_SUBJECT%".to_owned());
            }
            RequestField::Header(name) => {
                headers.insert(name.to_string(), json!(format!("%REQ({})%", name.to_ascii_uppercase())));
                // The operator has the first value, and this all of them.
                if !is_single_header(name) && !name.contains(['\'', '%', '\\']) {
                    joined.insert(name.to_string(), json!(format!("%CEL(request.headers['{name}'])%")));
                }
            }
            RequestField::RequestPrincipal => claims.extend([vec!["iss"], vec!["sub"]]),
            RequestField::Claim(path) => claims.push(path.iter().map(|name| &**name).collect()),
            RequestField::Claims => claims.push(Vec::new()),
            RequestField::MetadataValue { filter, key } => {
                let value = format!("%DYNAMIC_METADATA({filter}:{key})%");
                let of_filter = metadata.entry(filter.to_string()).or_insert_with(|| json!({}));
                of_filter.as_object_mut().into_iter().for_each(|fields| {
                    fields.insert(key.to_string(), json!(value));
                });
            }
            RequestField::Metadata(_) => {}
        }
    }
    let parts = [("headers", headers), ("joined_headers", joined), ("metadata", metadata)];
    format.extend(
        parts
            .into_iter()
            .filter(|(_, fields)| !fields.is_empty())
            .map(|(name, fields)| (name.to_owned(), Value::Object(fields))),
    );
    set_claims(&mut format, claims);
    Value::Object(format)
}

/// Adds those claims; all of them where one cannot be named in an operator, or is inside of another.
fn set_claims(format: &mut Map<String, Value>, mut claims: Vec<Vec<&str>>) {
    claims.sort_unstable();
    claims.dedup();
    let is_plain = |name: &str| !name.is_empty() && !name.contains([':', '(', ')', '%', '\n', '\r']);
    let is_nested = claims.iter().zip(claims.iter().skip(1)).any(|(outer, inner)| inner.starts_with(outer));
    let operator = |path: &[&str]| {
        let names: Vec<&str> = [JWT_FILTER, JWT_PAYLOAD].into_iter().chain(path.iter().copied()).collect();
        json!(format!("%DYNAMIC_METADATA({})%", names.join(":")))
    };
    if claims.is_empty() {
        return;
    }
    if is_nested || claims.iter().any(Vec::is_empty) || !claims.iter().flatten().all(|name| is_plain(name)) {
        format.insert("jwt_payload".to_owned(), operator(&[]));
        return;
    }
    let mut all = json!({});
    for path in &claims {
        let Some((last, outer)) = path.split_last() else { continue };
        let mut at = &mut all;
        for name in outer {
            let Value::Object(fields) = at else { break };
            at = fields.entry((*name).to_owned()).or_insert_with(|| json!({}));
        }
        if let Value::Object(fields) = at {
            fields.insert((*last).to_owned(), operator(path));
        }
    }
    format.insert("claims".to_owned(), all);
}

/// The configuration that has the format.
pub(super) fn configuration(fields: &Value, is_for: For) -> String {
    match is_for {
        For::Envoy => {
            let log = json!({
                "name": "envoy.access_loggers.file",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                    "path": "/dev/stdout",
                    "log_format": {"json_format": fields},
                },
            });
            format!(
                "# an entry of `access_log` of the HTTP connection manager\n{}",
                crate::render::yaml_document(&json!([log]))
            )
        }
        For::Istio => {
            let mesh = json!({"extensionProviders": [{
                "name": "weir-replay",
                "envoyFileAccessLog": {"path": "/dev/stdout", "logFormat": {"labels": fields}},
            }]});
            let telemetry = json!({
                "apiVersion": "telemetry.istio.io/v1",
                "kind": "Telemetry",
                "metadata": {"name": "weir-replay", "namespace": "istio-system"},
                "spec": {"accessLogging": [{"providers": [{"name": "weir-replay"}]}]},
            });
            format!(
                "# in the MeshConfig\n{}---\n# asks for it in the whole mesh; in another namespace, or with a selector, in a part of it\n{}",
                crate::render::yaml_document(&mesh),
                crate::render::yaml_document(&telemetry)
            )
        }
    }
}

#[cfg(test)]
mod tests;
