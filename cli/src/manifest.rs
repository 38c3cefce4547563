//! Objects that load plugins of Weir: what keeps the plugin from being loaded, or loads it for other proxies than those that
//! its document is for. What is said of the plugin itself is in [`check`](crate::check).

mod envoyfilter;

use crate::compile::Module;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::documents::Found;
use serde_json::Value;

/// Istio's default for the namespace whose objects are for the whole mesh.
pub(crate) const ROOT_NAMESPACE: &str = "istio-system";

/// The schemes that istiod takes in the address of a module. Without one it is an image.
const SCHEMES: [&str; 4] = ["file", "http", "https", "oci"];

/// What is known beside an object.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known<'a> {
    /// The namespace whose objects are for the whole mesh, if no document says it.
    pub(crate) root_namespace: Option<&'a str>,
    /// It was made for one workload.
    pub(crate) is_for_one: bool,
}

/// What is wrong with an object at `root`, or doubtful, beside its plugins.
pub(crate) fn check(object: &Value, root: &str, plugins: &[&Found], known: Known<'_>) -> Vec<Diagnostic> {
    let mut diagnostics = Diagnostics::default();
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    let is_istios = ["EnvoyFilter", "WasmPlugin", "TrafficExtension"].contains(&kind);
    if is_istios {
        selection(object, root, &mut diagnostics);
    }
    for (pointer, path) in [("/spec/url", "spec.url"), ("/spec/wasm/url", "spec.wasm.url")] {
        let scheme = object.pointer(pointer).and_then(Value::as_str).and_then(scheme);
        if let Some(scheme) = scheme.filter(|scheme| is_istios && !SCHEMES.contains(&scheme.to_lowercase().as_str())) {
            let message = format!(
                "Istio refuses an address with the scheme `{scheme}`: write `oci://` before that of an image, or one of `file`, \
                 `http`, `https`"
            );
            diagnostics.error(format!("{root}.{path}"), message);
        }
    }
    if kind == "EnvoyFilter" {
        envoyfilter::check(object, root, plugins, &mut diagnostics);
    }
    namespaces(object, root, plugins, (known, is_istios), &mut diagnostics);
    diagnostics.0
}

/// Istio takes a selector or targets, and of these one field.
fn selection(object: &Value, root: &str, diagnostics: &mut Diagnostics) {
    let names = ["selector", "workloadSelector", "targetRef", "targetRefs"];
    let is_written = |name: &&&str| {
        let value = object.pointer(&format!("/spec/{name}"));
        value.is_some_and(|value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()))
    };
    let written: Vec<&str> = names.iter().filter(is_written).copied().collect();
    if let [first, .., last] = written.as_slice() {
        let message = format!("Istio refuses it beside `{first}`: leave one of them");
        diagnostics.error(format!("{root}.spec.{last}"), message);
    }
}

/// The scheme of an address as Go's `url.Parse` reads it: `registry:5000/weir` has one too.
fn scheme(address: &str) -> Option<&str> {
    let (scheme, _) = address.split_once(':')?;
    let fits = |letter: char| letter.is_ascii_alphanumeric() || ['+', '-', '.'].contains(&letter);
    (scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.chars().all(fits)).then_some(scheme)
}

/// Whether the object is for the proxies that its documents are for.
fn namespaces(
    object: &Value,
    root: &str,
    plugins: &[&Found],
    (known, is_istios): (Known<'_>, bool),
    diagnostics: &mut Diagnostics,
) {
    let text = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let Some(own) = text(object, "/metadata/namespace").filter(|namespace| !namespace.is_empty()) else { return };
    let written = plugins.iter().find_map(|found| root_namespace(found));
    let mesh = written.or_else(|| known.root_namespace.map(str::to_owned));
    let is_root = own == mesh.as_deref().unwrap_or(ROOT_NAMESPACE);
    let mut is_for_own = known.is_for_one;
    for found in plugins {
        let parts = Module::of(&found.document).parts(&found.document);
        for part in parts.iter().filter(|part| part.module == Module::Policy) {
            let Some(named) = text(part.value, "/workload/namespace") else { continue };
            is_for_own |= named == own;
            if named != own && !(is_root && is_istios) {
                let within = part.path.strip_prefix('$').unwrap_or(part.path);
                let message = format!(
                    "the object is for proxies of `{own}`, where the policies of `{named}` would be enforced in place of their own"
                );
                diagnostics.warning("other-namespace", format!("{}{within}.workload.namespace", found.path), message);
            }
        }
    }
    let labels = ["/spec/selector/matchLabels", "/spec/workloadSelector/labels"];
    let labels = labels.iter().find_map(|at| object.pointer(at)?.as_object()).filter(|labels| !labels.is_empty());
    if let Some(labels) = labels.filter(|_| is_istios && is_root && is_for_own) {
        let shown = labels.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
        let message = format!(
            "an object of `{own}`, the root namespace, is for the proxies of every namespace that have the labels {}: select a \
             gateway by `targetRefs` (--target-ref), or by a label that no other workload has",
            shown.collect::<Vec<_>>().join(",")
        );
        diagnostics.warning("root-namespace", format!("{root}.metadata.namespace"), message);
    }
}

/// The namespace whose objects are for the whole mesh, as a document has it.
pub(crate) fn root_namespace(found: &Found) -> Option<String> {
    let parts = Module::of(&found.document).parts(&found.document);
    let root = parts.iter().find_map(|part| part.value.pointer("/workload/rootNamespace")?.as_str());
    root.map(str::to_owned)
}

#[cfg(test)]
mod tests;
