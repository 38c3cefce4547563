//! What is Weir's among documents without a kind, and among plugins.

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
        Root::Unknown(_) => true,
        Root::Http if plugin.names_root => true,
        Root::Http => plugin.is_from_weir || document.is_some_and(has_schema),
    }
}

/// Whether it says which schema of Weir's it has. Others have a `schema` too, which is a word.
fn has_schema(document: &Value) -> bool {
    document.get("schema").is_some_and(Value::is_number)
}

/// Whether it is what `weir render` and `weir run` put into a rate limit document: what is counted, without the limits.
pub(crate) fn is_actions(tree: &Value) -> bool {
    let only = |fields: &serde_json::Map<_, _>| {
        fields.keys().all(|name: &String| ["rate_limits", "apply"].contains(&name.as_str()))
    };
    tree.as_object().is_some_and(|fields| !fields.is_empty() && only(fields))
}
