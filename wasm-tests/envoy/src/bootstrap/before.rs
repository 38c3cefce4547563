//! Envoy's own filters before the modules: what they leave in filter state and dynamic metadata.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use weir_scenario::{Bytes, FilterStateValue, Proxy, jwt};

const DIRECT_ADDRESS: &str = "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%";
const PEER_URI_SANS: &str = "%DOWNSTREAM_PEER_URI_SAN%";

/// The HTTP filters that a proxy of a scenario has before the modules.
pub(super) fn filters(proxy: &Proxy) -> Vec<Value> {
    let mut filters = Vec::new();
    if !proxy.filter_state.is_empty() {
        filters.push(set_filter_state(&proxy.filter_state));
    }
    if proxy.jwt_authn {
        filters.push(jwt_authn());
    }
    if !proxy.dynamic_metadata.is_empty() {
        filters.push(set_metadata(&proxy.dynamic_metadata));
    }
    filters
}

/// The filter that istiod makes of a RequestAuthentication (`pilot/pkg/security/authn/policy_applier.go`), but for any issuer.
#[must_use]
pub fn jwt_authn() -> Value {
    json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"origins-0": {
                "local_jwks": {"inline_string": jwt::key_set().to_string()},
                "payload_in_metadata": "payload",
                "normalize_payload_in_metadata": {"space_delimited_claims": jwt::SPACE_DELIMITED},
            }},
            "rules": [{"match": {"prefix": "/"}, "requires": {"requires_any": {"requirements": [
                {"provider_name": "origins-0"},
                {"allow_missing": {}},
            ]}}}],
        },
    })
}

fn set_metadata(filters: &Map<String, Value>) -> Value {
    let each = filters.iter().map(|(filter, fields)| json!({"metadata_namespace": filter, "value": fields}));
    json!({
        "name": "envoy.filters.http.set_metadata",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.set_metadata.v3.Config",
            "metadata": each.collect::<Vec<_>>(),
        },
    })
}

fn set_filter_state(values: &BTreeMap<String, FilterStateValue>) -> Value {
    let values = values.iter().map(|(key, value)| {
        // A literal `%` is written twice.
        let format = match value {
            FilterStateValue::DirectAddress => json!({"inline_string": DIRECT_ADDRESS}),
            FilterStateValue::PeerUriSans => json!({"inline_string": PEER_URI_SANS}),
            FilterStateValue::Header(name) => json!({"inline_string": format!("%REQ({name})%")}),
            FilterStateValue::Value(Bytes(bytes)) => {
                let escaped = bytes.iter().flat_map(|byte| std::iter::repeat_n(*byte, 1 + usize::from(*byte == b'%')));
                json!({"inline_bytes": Bytes(escaped.collect()).base64()})
            }
        };
        state_value(key, &format)
    });
    json!({
        "name": "envoy.filters.http.set_filter_state",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config",
            "on_request_headers": values.collect::<Vec<_>>(),
        },
    })
}

/// The network filter that writes filter state of connections; none where there is nothing to write. At a TCP proxy it also
/// writes what is known of the client: the address at once, the certificate once its handshake is over (Envoy from 1.37).
pub(super) fn of_connections(proxy: &Proxy) -> Option<Value> {
    let fixed = proxy.connection_filter_state.iter().map(|(key, value)| (key, value.as_str()));
    let of_client = |wanted: FilterStateValue, format: &'static str| {
        let values = proxy.filter_state.iter().filter(|_| proxy.tcp.is_some());
        values.filter(move |(_, value)| **value == wanted).map(move |(key, _)| (key, format))
    };
    let written = |(key, format): (&String, &str)| state_value(key, &json!({"inline_string": format}));
    let opened = fixed.chain(of_client(FilterStateValue::DirectAddress, DIRECT_ADDRESS)).map(written);
    let opened: Vec<Value> = opened.collect();
    let shaken: Vec<Value> = of_client(FilterStateValue::PeerUriSans, PEER_URI_SANS).map(written).collect();
    if opened.is_empty() && shaken.is_empty() {
        return None;
    }
    let mut config = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config",
        "on_new_connection": opened,
    });
    if let (Some(fields), false) = (config.as_object_mut(), shaken.is_empty()) {
        fields.insert("on_downstream_tls_handshake".to_owned(), shaken.into());
    }
    Some(json!({"name": "envoy.filters.network.set_filter_state", "typed_config": config}))
}

/// One value of filter state, a string from a format; not set if the string is empty.
fn state_value(key: &str, format: &Value) -> Value {
    json!({
        "object_key": key,
        "factory_key": "envoy.string",
        "format_string": {"text_format_source": format, "omit_empty_values": true},
        "skip_if_empty": true,
    })
}
