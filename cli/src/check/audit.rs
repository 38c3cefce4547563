//! Whether records of decisions arrive: what the plugin and the bootstrap around it make of the section `audit`.

use crate::compile::{Module, Part};
use crate::diagnostic::Diagnostics;
use crate::documents::{Contents, Found};
use crate::plugin::Plugin;
use serde_json::Value;

/// Looks at the collector of a document with records.
pub(super) fn delivery(
    found: &Found,
    plugin: &Plugin,
    parts: &[Part<'_>],
    file: &Contents,
    diagnostics: &mut Diagnostics,
) {
    for part in parts.iter().filter(|part| part.module == Module::Policy && part.mode != "off") {
        let Some(collector) = part.value.pointer("/audit/to/otlp") else { continue };
        let within = part.path.strip_prefix('$').unwrap_or(part.path);
        let location = format!("{}{within}.audit.to.otlp", found.path);
        if let Some(cluster) = collector.get("cluster").and_then(Value::as_str)
            && file.clusters.iter().any(|clusters| clusters.lack(cluster, &found.path))
        {
            let message = format!("the bootstrap has no cluster `{cluster}`: no record would be delivered");
            diagnostics.error(format!("{location}.cluster"), message);
        }
        if plugin.misses_end {
            let message = "Envoy does not call this module when a configuration ends, so each change of it loses the records of up \
                           to one interval, which are counted: load `policy-audit.wasm` or `suite-audit.wasm`";
            diagnostics.warning("audit-lost-at-end", location, message);
        }
    }
}
