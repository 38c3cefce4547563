//! Plugins that stand in one proxy and get in each other's way: with one metric prefix they count every request twice, and
//! with one name they share labels and limits.

use crate::attachment;
use crate::compile::Module;
use crate::diagnostic::Diagnostic;
use crate::documents::Found;
use crate::manifest::{ROOT_NAMESPACE, root_namespace};
use crate::plugin::{Listeners, Plugin};
use serde_json::Value;

/// A plugin's document and where it stands.
pub(crate) struct Placed<'a> {
    pub(crate) file: &'a str,
    pub(crate) found: &'a Found,
    pub(crate) module: Module,
    /// The object that loads it, if a Kubernetes object does.
    pub(crate) object: Option<&'a Value>,
}

/// Warnings about plugins of one proxy, each with the number of the placed one that it is about.
pub(crate) fn overlaps(placed: &[Placed<'_>]) -> Vec<(usize, Diagnostic)> {
    let mut found = Vec::new();
    for (number, later) in placed.iter().enumerate() {
        for earlier in placed.get(..number).unwrap_or_default() {
            if !share_proxy(earlier, later) {
                continue;
            }
            let at = if earlier.file == later.file { String::new() } else { format!(" of `{}`", earlier.file) };
            let other = format!("the plugin at {}{at}", earlier.found.path);
            let path = |name: &str| format!("{}{name}", later.found.path);
            let name =
                |placed: &Placed<'_>| placed.found.document.get("name").and_then(Value::as_str).map(str::to_owned);
            if name(earlier).is_some() && name(earlier) == name(later) && share_sections(earlier, later) {
                let message = format!("{other} has the same name in the same proxy: their limits and series are mixed");
                found.push((number, Diagnostic::warning("same-name", path(".name"), message)));
            }
            if let (Some(one), Some(two)) = (prefix(earlier), prefix(later))
                && one.1 == two.1
            {
                let message = format!(
                    "{other} counts the same requests under the same prefix `{}`: every request counts twice; give one of them \
                     another `metricPrefix`, or `mode: off`",
                    two.1
                );
                found.push((number, Diagnostic::warning("same-prefix", path(two.0), message)));
            }
        }
    }
    found
}

/// The metric prefix of a document's telemetry, and where it is or should be.
fn prefix(placed: &Placed<'_>) -> Option<(&'static str, String)> {
    let parts = placed.module.parts(&placed.found.document);
    let part = parts.into_iter().find(|part| part.module == Module::Telemetry && part.mode != "off")?;
    let prefix = part.value.get("metricPrefix").and_then(Value::as_str).unwrap_or("istio_");
    Some((part.path.strip_prefix('$').unwrap_or_default(), prefix.to_owned()))
}

/// Whether both have a section that runs of one kind: others have other metrics, and one of them alone has limits.
fn share_sections(one: &Placed<'_>, two: &Placed<'_>) -> bool {
    let sections = |placed: &Placed<'_>| {
        let parts = placed.module.parts(&placed.found.document);
        parts.iter().filter(|part| part.mode != "off").map(|part| part.module).collect::<Vec<_>>()
    };
    let first = sections(one);
    sections(two).iter().any(|section| first.contains(section))
}

/// Whether requests can pass both.
fn share_proxy(one: &Placed<'_>, two: &Placed<'_>) -> bool {
    let (Some(first), Some(second)) = (&one.found.plugin, &two.found.plugin) else { return false };
    if !directions_overlap(first, second, [one, two]) {
        return false;
    }
    match (one.object, two.object) {
        (Some(object), Some(other)) => {
            // Of two that are for one request Envoy Gateway runs one.
            if object.get("kind").and_then(Value::as_str) == Some(attachment::POLICY) {
                return std::ptr::eq(object, other);
            }
            let roots = [one, two].map(|placed| root_namespace(placed.found));
            let root = roots.into_iter().flatten().next();
            selects_the_same(object, other, root.as_deref().unwrap_or(ROOT_NAMESPACE))
        }
        (None, None) => one.file == two.file && first.manager.is_some() && first.manager == second.manager,
        _ => false,
    }
}

fn directions_overlap(first: &Plugin, second: &Plugin, placed: [&Placed<'_>; 2]) -> bool {
    let both = |plugin: &Plugin, placed: &Placed<'_>| {
        let written = placed.found.document.get("listener").and_then(Value::as_str);
        match (written, &plugin.listeners) {
            (Some(listener), _) => [listener == "inbound", listener == "outbound"],
            (None, Some(Listeners { inbound, outbound, .. })) => [*inbound, *outbound],
            (None, None) => [true, true],
        }
    };
    let ([in_one, out_one], [in_two, out_two]) = (both(first, placed[0]), both(second, placed[1]));
    (in_one && in_two) || (out_one && out_two)
}

/// Whether two objects can select one workload: they are of one namespace, or one of them of the mesh's, and no label that
/// both ask for differs. Different targets are different proxies.
fn selects_the_same(one: &Value, two: &Value, root: &str) -> bool {
    let namespace = |object: &Value| object.pointer("/metadata/namespace").and_then(Value::as_str).map(str::to_owned);
    let (first, second) = (namespace(one), namespace(two));
    let is_root = |namespace: &Option<String>| namespace.as_deref() == Some(root);
    if first != second && !is_root(&first) && !is_root(&second) {
        return false;
    }
    let targets = |object: &Value| ["/spec/targetRefs", "/spec/targetRef"].map(|at| object.pointer(at).cloned());
    if targets(one) != targets(two) {
        return false;
    }
    let labels = |object: &'_ Value| {
        let at = ["/spec/selector/matchLabels", "/spec/workloadSelector/labels"];
        at.iter().find_map(|at| object.pointer(at)?.as_object().cloned()).unwrap_or_default()
    };
    let (one, two) = (labels(one), labels(two));
    one.iter().all(|(key, value)| two.get(key).is_none_or(|other| other == value))
}
