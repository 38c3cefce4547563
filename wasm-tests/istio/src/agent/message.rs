//! The message of a Wasm filter, read as strictly as the agent reads it.

use serde_json::Value;

use super::Nack;
use crate::envoyfilter::snake_case;

/// Which chain of filters a plugin stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Http,
    Network,
}

impl Family {
    const ALL: [Self; 2] = [Self::Http, Self::Network];

    pub(super) fn wasm_type(self) -> &'static str {
        match self {
            Self::Http => "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            Self::Network => "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm",
        }
    }

    pub(super) fn rbac_type(self) -> &'static str {
        match self {
            Self::Http => "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            Self::Network => "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC",
        }
    }

    /// The field of the RBAC filter that names its statistics.
    pub(super) fn prefix_field(self) -> &'static str {
        match self {
            Self::Http => "rules_stat_prefix",
            Self::Network => "stat_prefix",
        }
    }
}

/// A plugin whose module the agent has to fetch.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wasm {
    pub(super) family: Family,
    /// The `PluginConfig`.
    pub(super) config: Value,
}

const TYPED_STRUCT: &str = "type.googleapis.com/udpa.type.v1.TypedStruct";

/// The fields of each message below a Wasm filter, by the path of the message. These are the fields that istiod and the
/// agents up to 1.31 know: istiod drops others, `vm_config.capability_restriction_config` of Envoy 1.40 among them.
const FIELDS: [(&str, &[&str]); 8] = [
    ("", &["config"]),
    (
        "/config",
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
        "/config/vm_config",
        &[
            "vm_id",
            "runtime",
            "code",
            "configuration",
            "allow_precompiled",
            "nack_on_code_cache_miss",
            "environment_variables",
        ],
    ),
    ("/config/vm_config/environment_variables", &["host_env_keys", "key_values"]),
    ("/config/vm_config/code", &["local", "remote"]),
    (
        "/config/vm_config/code/local",
        &["filename", "inline_bytes", "inline_string", "environment_variable", "watched_directory"],
    ),
    ("/config/vm_config/code/remote", &["http_uri", "sha256", "retry_policy"]),
    ("/config/vm_config/code/remote/http_uri", &["uri", "cluster", "timeout"]),
];

impl Wasm {
    /// Reads a resource. `None` for filters that are not Wasm, and for plugins whose code is local: they pass as they are.
    ///
    /// # Errors
    /// When it cannot be read, or has no code.
    pub(super) fn read(resource: &Value) -> Result<Option<Self>, Nack> {
        let typed = resource.get("typed_config").filter(|typed| typed.is_object());
        let typed = typed.ok_or_else(|| Nack("the resource has no typed config".to_owned()))?;
        let text = |field: &str| typed.get(field).and_then(Value::as_str).unwrap_or_default();
        let (kind, message) = match text("@type") {
            TYPED_STRUCT => (text("type_url"), typed.get("value").map(snake_case).unwrap_or(Value::Null)),
            kind => (kind, snake_case(typed)),
        };
        let Some(family) = Family::ALL.into_iter().find(|family| family.wasm_type() == kind) else { return Ok(None) };
        check(&message)?;
        let Some(config) = message.get("config").filter(|config| config.is_object()) else { return Err(no_code()) };
        let code = |kind: &str| config.pointer("/vm_config/code").and_then(|code| code.get(kind)).is_some();
        match (code("remote"), code("local")) {
            (true, _) => Ok(Some(Self { family, config: config.clone() })),
            (false, true) => Ok(None),
            (false, false) => Err(no_code()),
        }
    }
}

fn no_code() -> Nack {
    Nack("the plugin has neither remote nor local code".to_owned())
}

/// Refuses fields that the messages do not have.
fn check(message: &Value) -> Result<(), Nack> {
    for (path, fields) in FIELDS {
        let Some(found) = message.pointer(path) else { continue };
        let found = found.as_object().ok_or_else(|| Nack(format!("`{path}` is not a message")))?;
        let unknown = found.keys().find(|name| *name != "@type" && !fields.contains(&name.as_str()));
        if let Some(unknown) = unknown {
            return Err(Nack(format!("unknown field `{path}/{unknown}`")));
        }
    }
    Ok(())
}
