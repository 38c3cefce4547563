//! Whether Envoy's routes leave path parameters (`/admin;x=y`) out when they match, as far as a file shows it.

use crate::field::{field, spelling};
use crate::plugin::{Around, Plugin};
use serde_json::Value;

const OPTION: &str = "ignore_path_parameters_in_path_matching";

/// A route configuration that says it, or that could and does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathOption {
    /// Path of the option, or of the route configuration without it.
    pub(crate) path: String,
    pub(crate) on: bool,
    /// Path of the HTTP connection manager whose routes they are.
    manager: Option<String>,
}

impl PathOption {
    /// Those that `value` has.
    pub(crate) fn of(value: &Value, path: &str, around: &Around) -> Vec<Self> {
        let manager = around.manager.clone();
        let mut found = Vec::new();
        if let Some(name) = spelling(value, OPTION) {
            let on = value.get(&name).and_then(Value::as_bool) == Some(true);
            found.push(Self { path: format!("{path}.{name}"), on, manager: manager.clone() });
        }
        let routes = spelling(value, "route_config").filter(|_| field(value, "http_filters").is_some());
        if let Some(name) = routes
            && value.get(&name).is_some_and(|routes| field(routes, OPTION).is_none())
        {
            found.push(Self { path: format!("{path}.{name}"), on: false, manager });
        }
        found
    }

    /// Whether these can be the routes of requests that `plugin` sees. A route configuration that stands alone can be
    /// anybody's.
    pub(crate) fn concerns(&self, plugin: Option<&Plugin>) -> bool {
        let manager = plugin.and_then(|plugin| plugin.manager.as_ref());
        !matches!((&self.manager, manager), (Some(of), Some(other)) if of != other)
    }
}

/// Whether an object without a kind is Envoy's and not a document: a bootstrap, a route configuration, a discovery
/// response. No document of Weir has these fields without its own `schema`.
pub(crate) fn are_envoys(tree: &Value) -> bool {
    let envoys = ["@type", "static_resources", "virtual_hosts", "resources", OPTION];
    tree.get("schema").is_none() && envoys.iter().any(|name| field(tree, name).is_some())
}
