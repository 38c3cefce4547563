mod connections;
mod faults;
mod matrix;
mod notes;
mod sizes;

use super::plan::{Plan, Wanted};
use super::sources::Sources;
use super::workload::Proxy;
use super::{Rendered, manifests};
use crate::compile::Module;
use crate::render::form::Form;
use crate::render::workload::labels;
use crate::tree::Tree;
use serde_json::{Value, json};

pub(crate) const DIGEST: &str = "0f4c1f5d3a7f4d8c9f1b2f0f6a1f3f0d5a0e6b7c8d9e0f1a2b3c4d5e6f708192";

/// What is wanted of a form for a workload `shop/cart`, by default the suite from a registry.
pub(crate) fn wanted(form: Form, proxy: Proxy) -> Wanted {
    let is_local = form == Form::Envoy;
    Wanted {
        selector: labels(&["app=cart".to_owned()]).unwrap(),
        target: (proxy != Proxy::Sidecar && !is_local).then(|| "Gateway/edge".to_owned()),
        image: (!is_local).then(|| format!("oci://registry.example.com/weir/suite@sha256:{DIGEST}")),
        module_file: is_local.then(|| "/opt/weir/suite.wasm".to_owned()),
        ..Wanted::new(form, Module::Suite, "shop/cart", proxy)
    }
}

/// The same for another module, from an image or a file of its own.
pub(crate) fn of_module(module: Module, wanted: Wanted) -> Wanted {
    let own = |place: String| place.replace("weir/suite", &format!("weir/{}", module.word()));
    Wanted { module, image: wanted.image.clone().map(own), module_file: wanted.module_file.clone().map(own), ..wanted }
}

pub(crate) fn sources(trees: &[Value]) -> Sources {
    let trees = trees.iter().enumerate().map(|(index, tree)| Tree::named(&format!("{index}.yaml"), tree.clone()));
    Sources::of(trees.collect(), None).unwrap()
}

/// A policy of namespace `shop` with that name, selector and spec.
pub(crate) fn policy(name: &str, selector: Value, more: Value) -> Value {
    let mut spec = json!({"selector": {"matchLabels": selector}});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let metadata = json!({"name": name, "namespace": "shop"});
    json!({"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": metadata, "spec": spec})
}

/// Something for each section, and for others.
pub(crate) fn everything() -> Vec<Value> {
    let paths = json!({"action": "ALLOW", "rules": [{"to": [{"operation": {"paths": ["/cart*"]}}]}]});
    let targeted = json!({"action": "DENY", "rules": [{"to": [{"operation": {"paths": ["/admin*"]}}]}], "targetRefs": [
        {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"},
    ]});
    let mut for_gateway = policy("gateway", json!({}), targeted);
    for_gateway["spec"].as_object_mut().unwrap().remove("selector");
    vec![
        policy("cart", json!({"app": "cart"}), paths),
        policy("stock", json!({"app": "stock"}), json!({"action": "DENY", "rules": [{}]})),
        for_gateway,
        json!({"domain": "shop", "descriptors": [
            {"key": "user", "rate_limit": {"name": "per-user", "unit": "minute", "requests_per_unit": 2}},
        ]}),
        json!({"rate_limits": [{"actions": [{"request_headers": {"header_name": "x-user", "descriptor_key": "user"}}]}]}),
        json!({"schema": 1, "name": "cart", "telemetry": {}}),
    ]
}

pub(crate) fn render(wanted: &Wanted, trees: &[Value]) -> Result<Rendered, Vec<String>> {
    manifests(&Plan::of(wanted).unwrap(), &sources(trees))
}

/// Every document that the rendered trees have, in their order.
pub(crate) fn documents(rendered: &Rendered) -> Vec<Value> {
    let contents = crate::documents::Contents::of_all(&rendered.trees);
    contents.found.into_iter().map(|found| found.document).collect()
}
