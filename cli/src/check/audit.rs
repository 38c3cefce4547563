//! Whether records of decisions arrive: what the bootstrap around it makes of the section `audit`.

use crate::compile::{Module, Part};
use crate::diagnostic::Diagnostics;
use crate::documents::{Contents, Found};
use serde_json::Value;

/// Looks at the collector of a document with records.
pub(super) fn delivery(found: &Found, parts: &[Part<'_>], file: &Contents, diagnostics: &mut Diagnostics) {
    for part in parts.iter().filter(|part| part.module == Module::Policy && part.mode != "off") {
        let Some(collector) = part.value.pointer("/audit/to/otlp") else { continue };
        let within = part.path.strip_prefix('$').unwrap_or(part.path);
        if let Some(cluster) = collector.get("cluster").and_then(Value::as_str)
            && file.clusters.iter().any(|clusters| clusters.lack(cluster, &found.path))
        {
            let message = format!("the bootstrap has no cluster `{cluster}`: no record would be delivered");
            diagnostics.error(format!("{}{within}.audit.to.otlp.cluster", found.path), message);
        }
    }
}
