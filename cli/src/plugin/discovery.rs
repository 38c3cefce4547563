//! Filters whose configuration is discovered.

use crate::field::spelling;
use serde_json::Value;

/// A filter whose configuration is discovered, and which has one of another kind until then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Discovery {
    /// The name of the filter, and of its extension configuration.
    pub(crate) name: String,
    /// Path of the configuration until then.
    pub(crate) path: String,
}

impl Discovery {
    /// The one that `value` is, if its configuration until then is not the Wasm filter's own.
    pub(crate) fn of(value: &Value, path: &str) -> Option<Self> {
        let discovery = spelling(value, "config_discovery")?;
        let inner = value.get(&discovery)?;
        let default = spelling(inner, "default_config")?;
        let kind = inner.get(&default)?.get("@type").and_then(Value::as_str).unwrap_or_default();
        let name = value.get("name").and_then(Value::as_str)?.to_owned();
        (!kind.contains(".wasm.")).then(|| Self { name, path: format!("{path}.{discovery}.{default}") })
    }
}
