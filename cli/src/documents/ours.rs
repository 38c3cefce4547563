//! What is Weir's among documents without a kind, and among plugins.

use crate::compile::Module;
use crate::plugin::{Plugin, Root};
use serde_json::Value;

/// What only Weir's documents have.
const SECTIONS: [&str; 10] = [
    "policy",
    "rateLimit",
    "telemetry",
    "policies",
    "policiesGzip",
    "rate_limits",
    "local",
    "metricPrefix",
    "cardinality",
    "peerMetadata",
];

/// What they have too.
const FIELDS: [&str; 20] = [
    "schema",
    "name",
    "mode",
    "listener",
    "accessLogState",
    "onInvalid",
    "workload",
    "providers",
    "shadow",
    "audit",
    "apply",
    "virtual_hosts",
    "global",
    "rate_limited_status",
    "rate_limited_as_resource_exhausted",
    "enable_x_ratelimit_headers",
    "retryAfter",
    "reporter",
    "classify",
    "definitions",
];

/// Whether something without a kind is a document. Many a YAML file has a `name`, so it takes a `schema`, or nothing but
/// fields of Weir's and one of the [`SECTIONS`].
pub(crate) fn is_document(tree: &Value) -> bool {
    let Some(fields) = tree.as_object() else { return false };
    if has_schema(tree) {
        return true;
    }
    if is_actions(tree) {
        return false;
    }
    let is_ours = |name: &str| FIELDS.contains(&name) || SECTIONS.contains(&name);
    fields.keys().any(|name| SECTIONS.contains(&name.as_str())) && fields.keys().all(|name| is_ours(name))
}

/// Whether a plugin is ours: its root id says so, or its configuration does, which is `None` where it cannot be read, or its
/// module is called after one of ours and comes from a place that is called after Weir.
pub(crate) fn is_plugin(plugin: &Plugin, document: Option<&Value>) -> bool {
    match &plugin.root {
        Root::Foreign => false,
        Root::Unknown(_) | Root::Tcp => true,
        Root::Http if plugin.names_root => true,
        Root::Http => plugin.is_from_weir || document.is_some_and(has_schema),
    }
}

/// Where a WasmPlugin, TrafficExtension or EnvoyExtensionPolicy loads a module of Weir without a configuration, and the field that
/// it lacks.
pub(crate) fn without_configuration(object: &Value, root: &str) -> Option<(String, &'static str)> {
    let is_ours = |value: &Value, pointers: &[&str]| {
        let address = pointers.iter().find_map(|pointer| value.pointer(pointer)?.as_str());
        address.is_some_and(|address| Module::named(address).is_some() && address.contains("weir"))
    };
    let spec = object.get("spec")?;
    for (pointer, path) in [("", ".spec"), ("/wasm", ".spec.wasm")] {
        if spec.pointer(pointer).is_some_and(|plugin| is_ours(plugin, &["/url"])) {
            return Some((format!("{root}{path}"), "pluginConfig"));
        }
    }
    let entries = spec.get("wasm")?.as_array()?.iter();
    let index = entries.clone().position(|plugin| is_ours(plugin, &["/code/image/url", "/code/http/url"]))?;
    Some((format!("{root}.spec.wasm[{index}]"), "config"))
}

/// Whether it says which schema of Weir's it has. Others have a `schema` too, which is a word.
fn has_schema(document: &Value) -> bool {
    document.get("schema").is_some_and(Value::is_number)
}

/// Whether a text that cannot be read begins a line with what Weir's files have.
pub(crate) fn is_meant(text: &str) -> bool {
    text.lines().any(|line| ["schema: 1", "descriptors:", "rate_limits:"].iter().any(|word| line.starts_with(word)))
}

/// Whether it is an envoyproxy/ratelimit configuration, which `weir render` and `weir run` put into a rate limit document.
pub(crate) fn is_limits(tree: &Value) -> bool {
    tree.get("descriptors").is_some() && (tree.get("domain").is_some() || any_has(tree, "descriptors", "key"))
}

/// What a rate limit document counts.
const ACTIONS: [&str; 2] = ["rate_limits", "apply"];

/// Whether it is what `weir render` and `weir run` put into a rate limit document: what is counted, without the limits. With an
/// unknown field beside it, its author misspelt something.
pub(crate) fn is_actions(tree: &Value) -> bool {
    let Some(fields) = tree.as_object() else { return false };
    let is_action = |name: &String| ACTIONS.contains(&name.as_str());
    let is_others = |name: &String| !FIELDS.contains(&name.as_str()) && !SECTIONS.contains(&name.as_str());
    let looks_so = any_has(tree, "rate_limits", "actions") || any_has(tree, "apply", "rate_limits");
    fields.keys().any(is_action)
        && (fields.keys().all(is_action) || (looks_so && fields.keys().all(|name| is_action(name) || is_others(name))))
}

/// Whether an item of a list has a field.
fn any_has(tree: &Value, list: &str, name: &str) -> bool {
    let items = tree.get(list).and_then(Value::as_array);
    items.is_some_and(|items| items.iter().any(|item| item.get(name).is_some()))
}
