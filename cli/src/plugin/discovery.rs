//! Filters whose configuration is discovered.

use crate::field::spelling;
use serde_json::Value;

/// A filter whose configuration is discovered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Discovery {
    /// The name of the filter, and of its extension configuration.
    pub(crate) name: String,
    /// Path of the discovery.
    pub(crate) path: String,
    pub(crate) until: Until,
}

/// What the filter is until its configuration is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Nothing: it answers requests with status 500.
    Refusing,
    /// A Wasm filter.
    Wasm,
    /// A filter of another kind, whose configuration is at this path.
    Other(String),
}

impl Discovery {
    /// The one that `value` is.
    pub(crate) fn of(value: &Value, path: &str) -> Option<Self> {
        let discovery = spelling(value, "config_discovery")?;
        let inner = value.get(&discovery)?;
        let name = value.get("name").and_then(Value::as_str)?.to_owned();
        let path = format!("{path}.{discovery}");
        let until = match spelling(inner, "default_config") {
            None => Until::Refusing,
            Some(default) => {
                let kind = inner.get(&default)?.get("@type").and_then(Value::as_str).unwrap_or_default();
                if kind.contains(".wasm.") { Until::Wasm } else { Until::Other(format!("{path}.{default}")) }
            }
        };
        Some(Self { name, path, until })
    }
}
