//! Fields of Envoy's `PluginConfig` and of what is in it, in the lines 1.36 to 1.40.

use crate::field::{snake, spelling};
use crate::input;
use serde_json::Value;

/// A message, by the fields that lead to it, and its own fields.
const MESSAGES: [(&[&str], &[&str]); 6] = [
    (
        &[],
        &[
            "name",
            "root_id",
            "vm_config",
            "configuration",
            "fail_open",
            "failure_policy",
            "reload_config",
            "capability_restriction_config",
            "allow_on_headers_stop_iteration",
        ],
    ),
    (
        &["vm_config"],
        &[
            "vm_id",
            "runtime",
            "code",
            "configuration",
            "allow_precompiled",
            "nack_on_code_cache_miss",
            "environment_variables",
            "capability_restriction_config",
        ],
    ),
    (&["vm_config", "code"], &["local", "remote"]),
    (
        &["vm_config", "code", "local"],
        &["filename", "inline_bytes", "inline_string", "environment_variable", "watched_directory"],
    ),
    (&["vm_config", "code", "remote"], &["http_uri", "sha256", "retry_policy"]),
    (&["vm_config", "code", "remote", "http_uri"], &["uri", "cluster", "timeout"]),
];

/// The paths of fields that a plugin at `path` has and its messages do not.
pub(super) fn unknown(plugin: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (way, known) in MESSAGES {
        let start = (plugin, path.to_owned());
        let end = way.iter().try_fold(start, |(value, path), name| {
            let name = spelling(value, name)?;
            Some((value.get(&name)?, input::field(&path, &name)))
        });
        let Some((Value::Object(fields), path)) = end else { continue };
        let unknown = fields.keys().filter(|name| *name != "@type" && !known.contains(&snake(name).as_str()));
        found.extend(unknown.map(|name| input::field(&path, name)));
    }
    found
}
