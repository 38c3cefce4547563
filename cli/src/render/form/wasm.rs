//! Envoy's Wasm filter, for the forms that write it out.

use crate::capabilities;
use crate::render::code::Code;
use crate::render::failure::Failure;
use crate::render::form::Form;
use crate::render::plan::{EnvoyLine, Plan};
use serde_json::{Value, json};
use weir_model::TCP_ROOT_ID;
use weir_policy::Protocol;

/// The types of Envoy's Wasm filter and of its RBAC filter, as filters of requests or of connections.
pub(crate) fn types(protocol: Protocol) -> [&'static str; 2] {
    match protocol {
        Protocol::Http => [
            "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
        ],
        Protocol::Tcp => [
            "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm",
            "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC",
        ],
    }
}

/// The root id of the module's filter.
pub(crate) fn root_id(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http => "weir",
        Protocol::Tcp => TCP_ROOT_ID,
    }
}

/// The typed configuration of the filter with that name and document.
pub(crate) fn typed_config(plan: &Plan, name: &str, document: &Value, failure: Failure) -> Value {
    let mut vm = json!({"vm_id": plan.vm_id(), "runtime": "envoy.wasm.runtime.v8", "code": code(&plan.code)});
    let mut config = json!({
        "name": name,
        "root_id": root_id(plan.protocol),
        "failure_policy": failure.word(),
        "configuration": {"@type": "type.googleapis.com/google.protobuf.Struct", "value": document},
    });
    // Envoy 1.40 has the list in the VM's configuration, and the older place is deprecated. Istio's lines are before it.
    let is_vms = plan.form == Form::Envoy && plan.envoy >= EnvoyLine::V1_40;
    let holder = if is_vms { &mut vm } else { &mut config };
    if let Some(fields) = holder.as_object_mut() {
        fields.insert("capability_restriction_config".to_owned(), capabilities::restriction(plan.module));
    }
    if let Some(fields) = config.as_object_mut() {
        fields.insert("vm_config".to_owned(), vm);
        if failure == Failure::Reload {
            let backoff = json!({"base_interval": "1s", "max_interval": "10s"});
            fields.insert("reload_config".to_owned(), json!({"backoff": backoff}));
        }
    }
    let [wasm, _] = types(plan.protocol);
    json!({"@type": wasm, "config": config})
}

fn code(code: &Code) -> Value {
    match code {
        Code::File(path) => json!({"local": {"filename": path}}),
        // Istio's agent fetches it and writes a local file in its place: Envoy sees neither the address nor the cluster.
        Code::Image { reference, sha256, .. } => json!({"remote": {
            "http_uri": {"uri": format!("oci://{reference}"), "cluster": "unused", "timeout": "30s"},
            "sha256": sha256,
        }}),
    }
}
