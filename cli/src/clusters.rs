//! The clusters of a bootstrap, where it shows all of them.

use crate::field::{field, spelling};
use serde_json::Value;
use std::collections::BTreeSet;

/// The clusters of a bootstrap that gets none from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Clusters {
    /// Path of the bootstrap.
    path: String,
    names: BTreeSet<String>,
}

impl Clusters {
    /// Those of `value`, if it is such a bootstrap.
    pub(crate) fn of(value: &Value, path: &str) -> Option<Self> {
        let resources = field(value, "static_resources")?;
        let dynamic = field(value, "dynamic_resources");
        let is_discovered = |name| dynamic.is_some_and(|dynamic| spelling(dynamic, name).is_some());
        if is_discovered("cds_config") || is_discovered("ads_config") {
            return None;
        }
        let clusters = field(resources, "clusters").and_then(Value::as_array);
        let name = |cluster: &Value| Some(cluster.get("name")?.as_str()?.to_owned());
        Some(Self { path: path.to_owned(), names: clusters.into_iter().flatten().filter_map(name).collect() })
    }

    /// Whether the bootstrap around a path lacks a cluster.
    pub(crate) fn lack(&self, name: &str, path: &str) -> bool {
        path.starts_with(&self.path) && !self.names.contains(name)
    }
}
