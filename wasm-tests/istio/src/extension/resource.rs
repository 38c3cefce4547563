//! The resource that istiod serves for a plugin.

use serde_json::{Map, Value, json};

use super::{Plugin, PluginKind, Secrets};

const SECRET: &str = "ISTIO_META_WASM_IMAGE_PULL_SECRET";
const POLICY: &str = "ISTIO_META_WASM_IMAGE_PULL_POLICY";
const RESOURCE_VERSION: &str = "ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION";

/// A `TypedExtensionConfig` with the plugin's configuration.
pub(crate) fn resource(plugin: &Plugin, secrets: &Secrets) -> Value {
    let text = |field: &str| plugin.wasm.get(field).and_then(Value::as_str).unwrap_or_default();
    let kind = match plugin.kind {
        PluginKind::Http => "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        PluginKind::Network => "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm",
    };
    let failure_policy = match text("failStrategy") {
        "FAIL_OPEN" => "FAIL_OPEN",
        "FAIL_RELOAD" => "FAIL_RELOAD",
        _ => "FAIL_CLOSED",
    };
    let mut config = json!({
        "name": format!("{}.{}", plugin.namespace, plugin.name),
        "root_id": text("pluginName"),
        "failure_policy": failure_policy,
        "vm_config": {
            "runtime": "envoy.wasm.runtime.v8",
            "code": code(text("url"), text("sha256")),
            "environment_variables": variables(plugin, secrets),
        },
    });
    let plugin_config = plugin.wasm.get("pluginConfig").and_then(Value::as_object).filter(|config| !config.is_empty());
    if let (Some(plugin_config), Some(fields)) = (plugin_config, config.as_object_mut()) {
        let text = Value::Object(plugin_config.clone()).to_string();
        let string = json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text});
        fields.insert("configuration".to_owned(), string);
    }
    json!({
        "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
        "name": plugin.resource_name,
        "typed_config": {"@type": kind, "config": config},
    })
}

/// A file as it is; anything else is for the agent to fetch, within 30 seconds. An address without a scheme is an image.
fn code(url: &str, sha256: &str) -> Value {
    if let Some(path) = url.strip_prefix("file://") {
        return json!({"local": {"filename": path}});
    }
    let uri = if has_scheme(url) { url.to_owned() } else { format!("oci://{url}") };
    json!({"remote": {"http_uri": {"uri": uri, "timeout": "30s", "cluster": "_"}, "sha256": sha256}})
}

/// Whether Go's parser of addresses finds a scheme: letters, digits, `+`, `-` and `.` before the first colon. It finds
/// one in `registry.example.com:5000/image`, too.
fn has_scheme(url: &str) -> bool {
    let Some((scheme, _)) = url.split_once(':') else { return false };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || ['+', '-', '.'].contains(&letter))
}

/// Variables of the VM, and those by which istiod speaks to the agent. A secret that is not there leaves an empty text.
fn variables(plugin: &Plugin, secrets: &Secrets) -> Value {
    let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut values = Map::new();
    let secret = text(&plugin.wasm, "imagePullSecret");
    if !secret.is_empty() {
        let name = secret.rsplit('/').next().unwrap_or_default();
        let found = secrets.get(&format!("kubernetes://{}/{name}", plugin.namespace));
        values.insert(SECRET.to_owned(), json!(found.cloned().unwrap_or_default()));
    }
    let policy = text(&plugin.wasm, "imagePullPolicy");
    if !policy.is_empty() && policy != "UNSPECIFIED_POLICY" {
        values.insert(POLICY.to_owned(), json!(policy));
    }
    values.insert(RESOURCE_VERSION.to_owned(), json!(plugin.resource_version));
    let mut from_host = Vec::new();
    for variable in plugin.wasm.pointer("/vmConfig/env").and_then(Value::as_array).into_iter().flatten() {
        if text(variable, "valueFrom") == "HOST" {
            from_host.push(text(variable, "name"));
        } else {
            values.insert(text(variable, "name"), json!(text(variable, "value")));
        }
    }
    if from_host.is_empty() {
        return json!({"key_values": values});
    }
    json!({"key_values": values, "host_env_keys": from_host})
}
